import { describe, expect, it } from 'vitest';

import { WebAccess } from '../../../main/ipc/webAccess.ts';

const tokenOf = (link: string) => new URL(link).searchParams.get('token') ?? '';
const cookieOf = (header: string | null) => header?.split(';')[0];

describe('web access', () => {
  it('lets one browser in per link', () => {
    const access = new WebAccess(4000);
    const token = tokenOf(access.createLink());
    const cookie = access.redeem(token);
    expect(cookie).toMatch(/^nemoflash-4000=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
    expect(access.hasSession(cookieOf(cookie))).toBe(true);
    expect(access.redeem(token)).toBeNull();
  });

  it('keeps sessions apart from links and from other shells', () => {
    const access = new WebAccess(4000);
    const token = tokenOf(access.createLink());
    expect(access.hasSession(`nemoflash-4000=${token}`)).toBe(false);
    expect(new WebAccess(4000).redeem(token)).toBeNull();
    const cookie = cookieOf(access.redeem(token));
    expect(new WebAccess(4000).hasSession(cookie)).toBe(false);
    expect(access.hasSession(cookie?.replace('4000', '4001'))).toBe(false);
  });

  it('finds its cookie among others and survives nonsense', () => {
    const access = new WebAccess(4000);
    const cookie = cookieOf(access.redeem(tokenOf(access.createLink())));
    expect(access.hasSession(`theme=dark; ${cookie}; =; x`)).toBe(true);
    for (const header of [undefined, '', ';', 'nemoflash-4000', 'nemoflash-4000=', '=;=']) {
      expect(access.hasSession(header)).toBe(false);
    }
  });

  it.each(['127.0.0.1:4000', 'localhost:4000', 'LOCALHOST:4000', '[::1]:4000'])('is called %s', (host) => {
    const access = new WebAccess(4000);
    expect(access.isOurHost(host)).toBe(true);
    expect(access.isOurOrigin(`http://${host.toLowerCase()}`, host)).toBe(true);
  });

  it.each([
    undefined,
    '',
    'localhost',
    '127.0.0.1:4001',
    'evil.example:4000',
    'localhost.evil.example:4000',
    '127.0.0.1:4000.evil.example',
  ])('is not called %s', (host) => {
    const access = new WebAccess(4000);
    expect(access.isOurHost(host)).toBe(false);
    expect(access.isOurOrigin(`http://${host}`, host)).toBe(false);
  });

  it.each([
    undefined,
    'null',
    'http://localhost:4000',
    'https://127.0.0.1:4000',
    'http://127.0.0.1:4001',
    'http://127.0.0.1:4000/',
  ])('refuses the origin %s on 127.0.0.1:4000', (origin) => {
    expect(new WebAccess(4000).isOurOrigin(origin, '127.0.0.1:4000')).toBe(false);
  });
});
