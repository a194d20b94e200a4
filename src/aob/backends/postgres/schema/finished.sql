-- By which release a cluster was made, or an upgrade of it finished: from then on documents may use its rules, and older
-- releases are members no more.
create table {schema}.finished (
  number int generated always as identity primary key,
  release text collate "C" not null,
  rules int not null,
  steps int[] not null default '{}',
  by text collate "C" not null default session_user,
  at timestamptz not null default clock_timestamp()
);
comment on table {schema}.finished is 'who finished which upgrade, and when; the last one counts';

-- What releases before this table accept.
insert into {schema}.finished (release, rules) select '0.1.0', 3 from {schema}.cluster;

-- Be a member, or say anew what it is, for so long; the time here. Forgets those that have been away for long. Refuses,
-- with 23A0B, one that does not know rules by which documents may have been accepted.
create or replace function {schema}.join_cluster(
    of_member text, of_address text, of_release text, of_rules integer, is_leaving bool, of_roles text, of_grpc text,
    lease_ms integer, forgotten_ms integer
) returns bigint
language plpgsql security definer set search_path = {schema}, pg_temp as $body$
declare
    at timestamptz := clock_timestamp();
    last finished%rowtype;
begin
    select * into last from finished order by number desc limit 1;
    if last.rules > of_rules then
        raise exception 'the upgrade to release % is finished: documents may use rules %, and release % knows up to %',
            last.release, last.rules, of_release, of_rules using errcode = '23A0B';
    end if;
    delete from member where until < at - make_interval(secs => forgotten_ms / 1000.0) and id <> of_member;
    insert into member (id, address, release, rules, roles, grpc, until, leaving)
    values (of_member, of_address, of_release, of_rules, of_roles, of_grpc,
        at + make_interval(secs => lease_ms / 1000.0), is_leaving)
    on conflict (id) do update set address = excluded.address, release = excluded.release, rules = excluded.rules,
        roles = excluded.roles, grpc = excluded.grpc, until = excluded.until, leaving = excluded.leaving;
    return floor(extract(epoch from at) * 1000);
end
$body$;
