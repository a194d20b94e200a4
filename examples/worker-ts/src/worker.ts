// A worker: attaches to a home, performs handlers, and keeps every result until its Ack. The rules stand in
// spec/worker.proto, and nothing else of AOB is needed.
import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { createHash, randomUUID } from "node:crypto";

export interface Context {
  readonly run: string; readonly visit: string; readonly attempt: number;
  readonly key: string; // the same for every attempt of this visit: give it to services that know such keys
  readonly resume: unknown; // what an earlier attempt saved with `heartbeat`
  readonly signal: AbortSignal; // the server no longer waits for this attempt
  log(message: string, fields?: object): void;
  heartbeat(checkpoint?: unknown): Promise<void>;
  intend(kind: string, what: object): Promise<{ granted: boolean; number: number; recorded?: unknown }>;
  settle(number: number, result: unknown): Promise<void>;
}
export type Handler = { effect: "none" | "keyed" | "once"; run: (input: any, ctx: Context) => unknown };
export interface Options { address: string; key: string; proto: string; name?: string; build?: string; slots?: number }
type Name = { run: string; visit: string; attempt: number };
type Ask = { item: object; done: (answer: any) => void; failed: (why: Error) => void };
type Held = { job: any; live: boolean; result?: object; asks: Map<number, Ask>; counts: Map<string, number>; abort: AbortController };

const FINAL = [grpc.status.UNAUTHENTICATED, grpc.status.PERMISSION_DENIED, grpc.status.INVALID_ARGUMENT,
  grpc.status.FAILED_PRECONDITION, grpc.status.ABORTED, grpc.status.UNIMPLEMENTED];
const json = (value: unknown) => Buffer.from(JSON.stringify(value ?? null));
const parsed = (data: Uint8Array) => (data.length ? JSON.parse(Buffer.from(data).toString()) : undefined);
const hash = (text: string) => createHash("sha256").update(text).digest("hex").slice(0, 16);
const nameOf = ({ run, visit, attempt }: Name): Name => ({ run, visit, attempt });
const idOf = (name: Name) => JSON.stringify([name.run, name.visit, name.attempt]);

/** Works until SIGTERM or Ctrl-C; then takes no more jobs, and ends when the last result has its Ack, or after 30 s. */
export async function work(handlers: Record<string, Handler>, options: Options): Promise<void> {
  const { aob } = grpc.loadPackageDefinition(loadSync(options.proto, { longs: Number, defaults: true, oneofs: true })) as any;
  const held = new Map<string, Held>();
  const incarnation = randomUUID(), slots = options.slots ?? 16;
  let stream: any, items: object[] = [], asked = 0, numbers = 0, welcomed = false, draining = false;

  const send = (item: object) => { if (!items.length) setImmediate(flush); items.push(item); };
  const flush = () => {
    const running = [...held.values()].filter((each) => !each.result).length, more = slots - running - asked;
    if (welcomed && !draining && more > 0) { asked += more; items.push({ want: { jobs: more } }); }
    if (items.length) stream?.write({ items });
    items = [];
  };
  const finish = (one: Held, result: object) => {
    if (one.result) return;
    one.result = result;
    one.asks.clear();
    if (one.live) send(result);
  };
  const ask = (one: Held, make: (ask: number) => object) => new Promise<any>((done, failed) => {
    const number = ++numbers, item = make(number);
    one.asks.set(number, { item, done, failed });
    if (one.live) send(item); // else it is sent when the server keeps the attempt
  });

  const contextOf = (one: Held): Context => {
    const name = nameOf(one.job);
    return {
      ...name, key: one.job.key, resume: parsed(one.job.resume), signal: one.abort.signal,
      log: (message, fields = {}) => { if (one.live) send({ log: { ...name, message, fields: json(fields) } }); },
      heartbeat: async (checkpoint) => {
        if (checkpoint !== undefined) await ask(one, (ask) => ({ beat: { ...name, ask, checkpoint: json(checkpoint) } }));
        else if (one.live) send({ beat: name });
      },
      intend: async (kind, what) => {
        const same = kind + JSON.stringify(what), count = (one.counts.get(same) ?? 0) + 1;
        one.counts.set(same, count);
        const answer = await ask(one, (ask) => ({ intend: { ...name, ask, kind, what: json(what), count } }));
        return answer.item === "granted" ? { granted: true, number: answer.granted.number }
          : { granted: false, number: answer.recorded.number, recorded: parsed(answer.recorded.result) };
      },
      settle: async (number, result) => {
        await ask(one, (ask) => ({ settle: { ...name, ask, number, result: json(result) } }));
      },
    };
  };

  const perform = async (one: Held) => {
    const name = nameOf(one.job), began = process.hrtime.bigint();
    try {
      const ctx = contextOf(one);
      if (one.job.startMs || one.job.heartbeatMs) void ctx.heartbeat();
      const output = json(await handlers[one.job.handler]!.run(parsed(one.job.input), ctx));
      finish(one, { done: { ...name, output, tookUs: Number((process.hrtime.bigint() - began) / 1000n) } });
    } catch (error: any) {
      const { code = "exception", message = String(error), permanent = false } = error ?? {};
      finish(one, { fail: { ...name, code: String(code), message, permanent, unexpected: code === "exception" } });
    }
  };
  const keep = (one: Held) => {
    if (one.live) return;
    one.live = true;
    if (one.result) send(one.result);
    for (const each of one.asks.values()) send(each.item);
  };
  const take = (item: any) => {
    const told = item[item.item], one = held.get(idOf(told));
    if (item.item === "welcome") welcomed = true;
    else if (item.item === "job") {
      asked -= 1;
      if (one) return keep(one);
      const fresh: Held = { job: told, live: true, asks: new Map(), counts: new Map(), abort: new AbortController() };
      held.set(idOf(told), fresh);
      if (!draining && told.handler in handlers && !told.ref) void perform(fresh);
      else finish(fresh, { decline: { ...nameOf(told), reason: draining ? "draining" : "no such handler, or too large" } });
    } else if (!one) return;
    else if (item.item === "keep") keep(one);
    else if (item.item === "ack" || item.item === "drop") { held.delete(idOf(told)); one.abort.abort(); }
    else if (item.item === "cancel") {
      one.abort.abort();
      finish(one, { fail: { ...nameOf(told), code: "cancelled", message: "cancelled", unexpected: true } });
    } else { // granted, recorded, answer, refused
      const waiting = one.asks.get(told.ask);
      one.asks.delete(told.ask);
      if (item.item !== "refused") return waiting?.done(item);
      if (told.code === "token_gone") one.abort.abort();
      waiting?.failed(Object.assign(new Error(told.message), { code: told.code, permanent: told.permanent }));
    }
  };

  const attach = () => new Promise<grpc.StatusObject>((ended) => {
    const client = new aob.worker.v1.Workers(options.address, grpc.credentials.createInsecure(), {
      // A pause of its own before it connects again: the shared one grows to two minutes, and a lease has 30 s.
      "grpc.use_local_subchannel_pool": 1, "grpc.initial_reconnect_backoff_ms": 100, "grpc.max_reconnect_backoff_ms": 1_000,
    });
    const metadata = new grpc.Metadata();
    metadata.set("authorization", `Bearer ${options.key}`);
    [stream, items, asked, welcomed] = [client.Attach(metadata), [], 0, false];
    for (const one of held.values()) one.live = false;
    const told = Object.entries(handlers).map(([name, { effect, run }]) => ({ name, effect, version: hash(String(run)) }));
    stream.write({ items: [{ hello: {
      protocol: 1, worker: options.name ?? `ts-${process.pid}`, incarnation, build: options.build ?? "1", handlers: told, slots,
      held: [...held.values()].map((one) => ({ ...nameOf(one.job), done: one.result !== undefined })),
    } }] });
    if (draining) send({ draining: {} });
    stream.on("data", (frame: any) => { frame.items.forEach(take); flush(); });
    stream.on("error", () => {});
    stream.on("status", (status: grpc.StatusObject) => { client.close(); ended(status); });
  });
  const beat = setInterval(() => stream?.write({ items: [] }), 2_000);
  const drain = () => { draining = true; send({ draining: {} }); setTimeout(() => process.exit(0), 30_000).unref(); };
  process.once("SIGTERM", drain);
  process.once("SIGINT", drain);
  const looking = setInterval(() => { // everything has its Ack: end the stream, without waiting for long
    if (draining && !held.size) { stream?.end(); setTimeout(() => stream?.cancel(), 500).unref(); }
  }, 50);

  for (let pause = 50; !(draining && !held.size); pause = Math.min(2 * pause, 2_000)) {
    const status = await attach();
    if (welcomed) pause = 50;
    if (FINAL.includes(status.code)) throw new Error(`the server refuses this worker: ${status.details}`);
    if (!(draining && !held.size)) await new Promise((again) => setTimeout(again, pause));
  }
  clearInterval(beat);
  clearInterval(looking);
}
