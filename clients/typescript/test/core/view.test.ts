import { afterEach, expect, test, vi } from "vitest";
import { Cell, derived } from "../../src/index.js";

afterEach(() => vi.unstubAllGlobals());

const told = () => Promise.resolve().then(() => Promise.resolve());

test("listeners of a Cell are told once for a batch, and the value stands at once", async () => {
  const cell = new Cell(1);
  const listener = vi.fn();
  cell.subscribe(listener);
  cell.set(2);
  cell.update((value) => value + 1);
  expect(cell.get()).toBe(3);
  expect(listener).not.toHaveBeenCalled();
  await told();
  expect(listener).toHaveBeenCalledTimes(1);
});

test("an equal value tells nobody", async () => {
  const cell = new Cell(Number.NaN);
  const listener = vi.fn();
  cell.subscribe(listener);
  cell.set(Number.NaN);
  await told();
  expect(listener).not.toHaveBeenCalled();
});

test("get and subscribe are bound, and a listener given twice is two", async () => {
  const { get } = new Cell(1);
  expect(get()).toBe(1);
  const cell = new Cell(1);
  const listener = vi.fn();
  const { subscribe: follow } = cell;
  const leave = follow(listener);
  follow(listener);
  leave();
  leave();
  cell.set(2);
  await told();
  expect(listener).toHaveBeenCalledTimes(1);
});

test("a listener that throws is reported, and the others are told", async () => {
  const report = vi.fn();
  vi.stubGlobal("reportError", report);
  const cell = new Cell(1);
  const second = vi.fn();
  cell.subscribe(() => {
    throw new Error("mine");
  });
  cell.subscribe(second);
  cell.set(2);
  await told();
  expect(second).toHaveBeenCalledTimes(1);
  expect(report).toHaveBeenCalledWith(new Error("mine"));
});

test("a listener removed by another one is not told any more", async () => {
  const cell = new Cell(1);
  const second = vi.fn();
  cell.subscribe(() => leave());
  const leave = cell.subscribe(second);
  cell.set(2);
  await told();
  expect(second).not.toHaveBeenCalled();
});

test("a derived View computes once for equal inputs and keeps its object", () => {
  const [a, b] = [new Cell(1), new Cell(2)];
  const compute = vi.fn((x: number, y: number) => ({ sum: x + y }));
  const sum = derived([a, b], compute);
  expect(sum.get()).toEqual({ sum: 3 });
  expect(sum.get()).toBe(sum.get());
  expect(compute).toHaveBeenCalledTimes(1);
  a.set(5);
  expect(sum.get()).toEqual({ sum: 7 });
});

test("a derived View tells only of changes of its own, and follows only while it is followed", async () => {
  const cell = new Cell(1);
  const parity = derived([cell], (value) => value % 2);
  const listener = vi.fn();
  const leave = parity.subscribe(listener);
  cell.set(3);
  await told();
  expect(listener).not.toHaveBeenCalled();
  cell.set(4);
  await told();
  expect(listener).toHaveBeenCalledTimes(1);
  leave();
  cell.set(5);
  await told();
  expect(listener).toHaveBeenCalledTimes(1);
  expect(parity.get()).toBe(1);
});

test("equality of one's own keeps the old object", () => {
  const cell = new Cell(1);
  const list = derived(
    [cell],
    (value) => [value > 0],
    (a, b) => a[0] === b[0],
  );
  const before = list.get();
  cell.set(2);
  expect(list.get()).toBe(before);
});

test("who comes between a change and its telling is told of the next one", async () => {
  const cell = new Cell("a");
  const view = derived([cell], (value) => value);
  view.subscribe(() => {});
  cell.set("b");
  await Promise.resolve(); // the Cell has told the View, which is about to tell
  const late = vi.fn();
  expect(view.get()).toBe("b");
  view.subscribe(late);
  cell.set("a");
  await told();
  expect(late).toHaveBeenCalled();
});
