/** Enough of a key to know it by, and no more. */
export const masked = (key: string): string => `${key.slice(0, 3)}${'•'.repeat(12)}${key.slice(-4)}`;
