/**
 * Chromium knows no app:// pages, so the double shows them as https:// pages of a name that cannot exist; like app:// they
 * are secure, have an origin of their own, and load nothing but what the protocol handler serves.
 */
const suffix = '.electron-double.invalid';

/** 'app://nemoflash/x' -> 'https://nemoflash.app.electron-double.invalid/x' */
export function toChromium(url: string): string {
  return url.replace(/^([a-z]+):\/\/([\w-]+)/, (whole, scheme: string, host: string) =>
    /^(https?|file|about|data)$/.test(scheme) ? whole : `https://${host}.${scheme}${suffix}`,
  );
}

/** The other way round; other addresses stay as they are. */
export function toElectron(url: string): string {
  return url.replace(/^https:\/\/([\w-]+)\.([a-z]+)\.electron-double\.invalid/, '$2://$1');
}

/** As Electron reports it: scheme and host for a registered scheme. */
export function originOf(url: string): string {
  const match = /^([a-z]+:\/\/[^/]*)/.exec(toElectron(url));
  return match?.[1] ?? 'null';
}
