import type { TableShape } from "./shape";

interface Selected {
  data?: unknown;
}

interface Keyed {
  keyData?: unknown;
}

interface Answer {
  updates?: Keyed & { entry: Selected | null };
  value?: Keyed | null;
  node?: (Keyed & { history?: Selected[] }) | null;
}

/** Replaces the typed keys and data of an answer by what is shown of them. */
export function showIn(answer: unknown, { data, keys }: TableShape): void {
  const { updates, value, node } = answer as Answer;
  if (data !== null) {
    for (const one of [...(updates?.entry ? [updates.entry] : []), ...(node?.history ?? [])]) {
      one.data = data.show(one.data);
    }
  }
  if (keys !== null) {
    for (const one of [updates, value, node]) if (one) one.keyData = keys.of(one.keyData);
  }
}
