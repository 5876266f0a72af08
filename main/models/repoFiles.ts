/** Which files of a repository the app needs, and whether their names are safe to write on any disk. */
import { AppError } from '../contract/errors.ts';

/** Data only: configuration, tokenizer, weights, licence and card, all at the repository's top. Never code. */
const needed = [
  /^(config|generation_config)\.json$/,
  /^(tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab)\.json$/,
  /^(merges\.txt|tokenizer\.model|chat_template\.(jinja|json))$/,
  /^model[\w.-]*\.safetensors(\.index\.json)?$/,
  /^(licen[cs]e|notice|readme)[\w.-]*$/i,
];

export function isNeeded(path: string): boolean {
  return needed.some((pattern) => pattern.test(path));
}

// Names Windows reserves whatever their extension.
const reserved = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)/i;
const forbidden = /[\u0000-\u001f\u007f<>:"|?*\\]/;

/** Why a name must not be written to disk; null when it may. Rules of every system at once, so that folders can move. */
export function unsafeReason(path: string): string | null {
  if (path === '' || Buffer.byteLength(path) > 1024) return 'is empty or too long';
  if (path.startsWith('/')) return 'is an absolute path';
  if (forbidden.test(path)) return 'holds a character that some disks refuse';
  for (const segment of path.split('/')) {
    if (segment === '' || segment === '.' || segment === '..') return 'leaves its folder';
    if (Buffer.byteLength(segment) > 255) return 'is too long';
    if (/[. ]$/.test(segment)) return 'ends in a dot or a space';
    if (reserved.test(segment)) return 'is reserved by Windows';
  }
  return null;
}

/** Throws UNSAFE_NAME for the first name that is unsafe alone or that a case-blind disk would confuse with another. */
export function assertSafeNames(paths: readonly string[]): void {
  const seen = new Map<string, string>();
  for (const path of paths) {
    const reason = unsafeReason(path);
    if (reason !== null) throw new AppError('UNSAFE_NAME', `The repository's file ${JSON.stringify(path)} ${reason}.`);
    const folded = path.normalize('NFC').toLowerCase();
    const other = seen.get(folded);
    if (other !== undefined) {
      throw new AppError(
        'UNSAFE_NAME',
        `The repository's files ${JSON.stringify(other)} and ${JSON.stringify(path)} would be one file on many disks.`,
      );
    }
    seen.set(folded, path);
  }
}

/** OWNER/NAME as a folder of the Hugging Face cache: models--OWNER--NAME. Throws UNSAFE_NAME. */
export function repoFolderName(repo: string): string {
  if (!/^[\w.-]{1,96}\/[\w.-]{1,96}$/.test(repo)) {
    throw new AppError('BAD_REQUEST', `${JSON.stringify(repo)} is not the name of a repository; expected OWNER/NAME.`);
  }
  const parts = repo.split('/');
  assertSafeNames(parts);
  return ['models', ...parts].join('--');
}

/** The repository a cache folder is named after; null when it is no such folder. */
export function repoOfFolderName(name: string): string | null {
  const match = /^models--([\w.-]+?)--([\w.-]+)$/.exec(name);
  return match ? `${match[1]}/${match[2]}` : null;
}
