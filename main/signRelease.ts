/**
 * `node main/signRelease.ts FILE.yml...`: adds our signature to the files that tell an installed app of a new version.
 * The Ed25519 private key comes as PEM in NEMOFLASH_UPDATE_PRIVATE_KEY. Without it nothing is written, and says so.
 */
import { createPrivateKey, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';

import { signedText } from './updates.ts';

/** The text of a latest*.yml with its signature; one that is there already is replaced. */
export function signRelease(yml: string, key: KeyObject): string {
  const text = yml.replace(/^signature: .*\n/m, '');
  const version = /^version: (.+)$/m.exec(text)?.[1]?.trim();
  const files = [...text.matchAll(/^ {2}- url: (.+)\n {4}sha512: (\S+)$/gm)].map(([, url = '', sha512 = '']) => ({
    url: url.trim(),
    sha512,
  }));
  if (version === undefined || files.length === 0) throw new Error('Not a release description: no version or no file.');
  const signature = sign(null, Buffer.from(signedText({ version, files })), key).toString('base64');
  return `${text.trimEnd()}\nsignature: ${signature}\n`;
}

if (process.argv[1] === import.meta.filename) {
  const pem = process.env['NEMOFLASH_UPDATE_PRIVATE_KEY'];
  if (pem === undefined || pem === '') {
    process.stderr.write('No signing key: installed apps will refuse this release as an update.\n');
  } else {
    for (const file of process.argv.slice(2)) {
      writeFileSync(file, signRelease(readFileSync(file, 'utf8'), createPrivateKey(pem)));
    }
  }
}
