export interface Observer<T> {
  next: (value: T) => void;
  error: (error: unknown) => void;
  complete: () => void;
}

/**
 * Hands on the newest value of each frame, and always the last one: the editor that shows the answers shows one at a
 * time, and writing each of thousands a second into it would leave no time for anything else.
 */
export function latestOfEachFrame<T>(
  observer: Observer<T>,
  nextFrame: (callback: () => void) => void,
): Observer<T> {
  let waiting: { value: T } | null = null;
  const flush = () => {
    if (waiting) observer.next(waiting.value);
    waiting = null;
  };
  return {
    next: (value) => {
      if (!waiting) nextFrame(flush);
      waiting = { value };
    },
    error: (error) => {
      flush();
      observer.error(error);
    },
    complete: () => {
      flush();
      observer.complete();
    },
  };
}
