export interface Observer<T> {
  next: (value: T) => void;
  error: (error: unknown) => void;
  complete: () => void;
}

/** What the editor shows of a subscription. */
export interface Received {
  /** How the events come, if not as chosen. */
  notice?: string;
  /** Why the subscription ended. */
  error?: unknown;
  /** The number of all events. */
  received: number;
  latestFirst: unknown[];
}

export interface EventLimits {
  eventsMax: number;
  /** The maximum length of all events as JSON; the latest one is shown however long it is. */
  charactersMax: number;
}

/**
 * Collects the last events of a subscription and passes them on as one list. Thousands of events may come per second, and the
 * editor can be written only a few times, so `later` delays each list.
 */
export class EventList implements Observer<unknown> {
  notice: string | undefined;
  private events: unknown[] = [];
  private received = 0;
  private waiting = false;

  constructor(
    private readonly observer: Observer<Received>,
    private readonly limits: EventLimits,
    private readonly later: (callback: () => void) => void,
  ) {}

  next(event: unknown): void {
    this.received += 1;
    this.events.push(event);
    if (this.events.length > this.limits.eventsMax) this.events.shift();
    if (this.waiting) return;
    this.waiting = true;
    this.later(() => {
      if (this.waiting) this.show();
    });
  }

  /** Ends with an error, and keeps the events readable. */
  error(error: unknown): void {
    if (this.received === 0) {
      this.observer.error(error);
      return;
    }
    this.show({ error });
    this.observer.complete();
  }

  complete(): void {
    if (this.waiting) this.show();
    this.observer.complete();
  }

  private show(end: Pick<Received, "error"> = {}): void {
    this.waiting = false;
    this.events = fitting(this.events, this.limits.charactersMax);
    this.observer.next({
      ...(this.notice !== undefined && { notice: this.notice }),
      ...end,
      received: this.received,
      latestFirst: this.events.toReversed(),
    });
  }
}

/** Returns the last events that fit, at least one. */
function fitting(events: readonly unknown[], charactersMax: number): unknown[] {
  let characters = 0;
  let first = events.length;
  while (first > 0) {
    characters += JSON.stringify(events[first - 1]).length;
    if (characters > charactersMax && first < events.length) break;
    first -= 1;
  }
  return events.slice(first);
}
