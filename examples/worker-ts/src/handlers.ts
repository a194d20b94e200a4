// The handlers of this worker, and where it attaches. A ledger outside (a file) stands for the world that they act on.
import { appendFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { work, type Handler } from "./worker.js";

const LEDGER = process.env.LEDGER;
const note = (what: string, key: string) => { if (LEDGER) appendFileSync(LEDGER, `${what} ${key}\n`); };

const handlers: Record<string, Handler> = {
  /** Pure: may be repeated at will. */
  price: { effect: "none", run: (order: { amount: number }) => ({ ...order, total: Math.round(order.amount * 1.19) }) },
  /** Keyed: the service that is asked knows the key, and does nothing twice for it. */
  reserve: { effect: "keyed", run: async (order: { wait_ms?: number }, ctx) => {
    ctx.log("reserving", { attempt: ctx.attempt });
    await pause(order.wait_ms ?? 0, undefined, { signal: ctx.signal });
    note("reserve", ctx.key);
    return { ...order, reserved: true };
  } },
  /** Acts once, and says what it does before it does it. */
  charge: { effect: "keyed", run: async (order: { total: number }, ctx) => {
    const intent = await ctx.intend("charge", { total: order.total, effect: "once" });
    if (!intent.granted) return intent.recorded;
    note("charge", ctx.key);
    const receipt = { ...order, charged: order.total };
    await ctx.settle(intent.number, receipt);
    return receipt;
  } },
};

const [address = "127.0.0.1:7700"] = process.argv.slice(2);
const proto = process.env.PROTO ?? new URL("../../../spec/worker.proto", import.meta.url).pathname;
await work(handlers, { address, key: process.env.AOB_API_KEY ?? "", proto, name: process.env.WORKER });
