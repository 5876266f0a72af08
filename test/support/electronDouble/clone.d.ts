interface Special {
  functionId?(own: (...args: unknown[]) => unknown): number;
  promiseId?(own: Promise<unknown>): number;
  functionOf?(id: number): (...args: unknown[]) => unknown;
  promiseOf?(id: number): Promise<unknown>;
}
export function encode(value: unknown, special?: Special): string;
export function decode(text: string, special?: Special): unknown;
