export interface Observer<T> {
  next: (value: T) => void;
  error: (error: unknown) => void;
  complete: () => void;
}

/**
 * Passes on the latest value of each frame, and always the last one. The editor shows one result at a time, and writing
 * thousands of results per second into it would block the page.
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
