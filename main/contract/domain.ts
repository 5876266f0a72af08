/**
 * The words of the product, by noun: plain types, and the single home of ranges and defaults. This is their front door;
 * the files import nothing but each other and error types. Times are integers of nanoseconds, sizes bytes, dates
 * milliseconds since 1970, unless a name says otherwise.
 */
export * from './answer.ts';
export * from './api.ts';
export * from './app.ts';
export * from './chat.ts';
export * from './device.ts';
export * from './engine.ts';
export * from './hub.ts';
export * from './models.ts';
export * from './sampling.ts';
export * from './settings.ts';
