-- Who owns each shard, until when by this server's clock, and what members do about it. Beside the rows of the shards: a
-- renewal never waits for a commit.
create table {schema}.lease (
    shard integer primary key references {schema}.shard,
    owner text collate "C" not null default '',
    address text not null default '',
    term bigint not null default 0,
    heir text collate "C" not null default '',
    until timestamptz not null default '-infinity',
    taken timestamptz not null default '-infinity'
) with (fillfactor = 50);

-- Be a member, or say anew what it is, for so long; the time here. Forgets those that have been away for long.
create function {schema}.join_cluster(
    of_member text, of_address text, of_release text, of_rules integer, is_leaving bool, of_roles text, of_grpc text,
    lease_ms integer, forgotten_ms integer
) returns bigint
language plpgsql security definer set search_path = {schema}, pg_temp as $body$
declare
    at timestamptz := clock_timestamp();
begin
    delete from member where until < at - make_interval(secs => forgotten_ms / 1000.0) and id <> of_member;
    insert into member (id, address, release, rules, roles, grpc, until, leaving)
    values (of_member, of_address, of_release, of_rules, of_roles, of_grpc,
        at + make_interval(secs => lease_ms / 1000.0), is_leaving)
    on conflict (id) do update set address = excluded.address, release = excluded.release, rules = excluded.rules,
        roles = excluded.roles, grpc = excluded.grpc, until = excluded.until, leaving = excluded.leaving;
    return floor(extract(epoch from at) * 1000);
end
$body$;

-- Be no member any more, and own nothing.
create function {schema}.leave_cluster(of_member text) returns void
language sql security definer set search_path = {schema}, pg_temp as $body$
    delete from member where id = of_member;
    update lease set owner = '', address = '', heir = '', until = '-infinity' where owner = of_member;
$body$;

-- Own a shard if it is free for this member. What the lease is now, or why there is none.
create function {schema}.take_lease(of_shard integer, of_member text, lease_ms integer)
returns table (why text, owner text, address text, term bigint, heir text, left_ms bigint)
language plpgsql security definer set search_path = {schema}, pg_temp as $body$
declare
    held lease%rowtype;
    at timestamptz;
    place text;
begin
    if not exists (select from shard where id = of_shard) then
        return query select 'no_shard', '', '', 0::bigint, '', 0::bigint;
        return;
    end if;
    select m.address into place from member m where m.id = of_member and m.until > clock_timestamp();
    if not found then
        return query select 'no_member', '', '', 0::bigint, '', 0::bigint;
        return;
    end if;
    insert into lease (shard) values (of_shard) on conflict do nothing;
    select * into held from lease l where l.shard = of_shard for update;
    at := clock_timestamp();
    if held.until <= at or held.owner = of_member or (held.owner = '' and held.heir = of_member) then
        update lease l set owner = of_member, address = place, term = l.term + 1, heir = '', taken = at,
            until = at + make_interval(secs => lease_ms / 1000.0)
        where l.shard = of_shard returning * into held;
    end if;
    return query select '', held.owner, held.address, held.term, held.heir,
        greatest(0, floor(extract(epoch from case when held.until > at then held.until - at else interval '0' end) * 1000))::bigint;
end
$body$;

-- Prolong the membership and all leases of a member: the time here, and its shards with their terms.
create function {schema}.renew_leases(of_member text, lease_ms integer) returns table (now_ms bigint, terms json)
language plpgsql security definer set search_path = {schema}, pg_temp as $body$
declare
    at timestamptz := clock_timestamp();
    over timestamptz := at + make_interval(secs => lease_ms / 1000.0);
begin
    now_ms := floor(extract(epoch from at) * 1000);
    terms := '{}';
    update member set until = over where id = of_member;
    if found then
        with mine as (update lease set until = over where owner = of_member returning shard, term)
        select coalesce(json_object_agg(shard, term), '{}') into terms from mine;
    end if;
    return next;
end
$body$;

-- Own a shard no more: for so long only the heir takes it, if one is named.
create function {schema}.release_lease(of_shard integer, of_member text, of_heir text, lease_ms integer) returns bool
language plpgsql security definer set search_path = {schema}, pg_temp as $body$
begin
    update lease set owner = '', address = '', heir = of_heir, until = case when of_heir = '' then '-infinity'
        else clock_timestamp() + make_interval(secs => lease_ms / 1000.0) end
    where shard = of_shard and owner = of_member;
    return found;
end
$body$;
