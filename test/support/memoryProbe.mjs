// node --expose-gc --import: collects garbage at SIGUSR2, so that what is measured next is what is really held.
process.on('SIGUSR2', () => {
  globalThis.gc();
  globalThis.gc();
});
