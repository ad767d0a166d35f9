/** A wait that ends early where somebody says so, or the browser has a network again. */
export function pause(ms: number): { over: Promise<void>; end(): void } {
  let end = () => {};
  const over = new Promise<void>((done) => {
    end = () => {
      clearTimeout(timer);
      removeEventListener('online', end);
      done();
    };
    const timer = setTimeout(end, ms);
    addEventListener('online', end);
  });
  return { over, end };
}
