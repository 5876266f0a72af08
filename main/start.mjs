// `npm start`: builds what is needed and opens the app: in Electron's window, or where there is none, in a browser.
// `npm start -- --web` asks for the browser directly, --no-build takes what was built last. Plain JavaScript that runs on any Node from 20 on.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import module from 'node:module';
import path from 'node:path';
import process from 'node:process';

const root = path.resolve(import.meta.dirname, '..');
const wantedNode = 24;
const downloadTimeoutMs = 180_000;
const say = (line) => process.stderr.write(`${line}\n`);
// What is compiled once, types stripped, is kept for the next start: it halves the time of one.
module.enableCompileCache?.(path.join(root, 'build', 'compile-cache'));

/** Runs a program in our place: same terminal, same signals, same exit code. It ends when we are gone. */
function become(program, args) {
  const child = spawn(program, args, { cwd: root, stdio: ['inherit', 'inherit', 'inherit', 'ipc'] });
  // Ctrl+C in a terminal reaches the child by itself; a signal sent to us alone must be passed on.
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => {
      if (signal === 'SIGTERM' || !process.stdin.isTTY) child.kill(signal);
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(signal ? 128 + 15 : code));
  });
}

function newestMs(entry) {
  const stats = statSync(entry, { throwIfNoEntry: false });
  if (stats === undefined) return 0;
  if (!stats.isDirectory()) return stats.mtimeMs;
  return Math.max(0, ...readdirSync(entry).map((name) => newestMs(path.join(entry, name))));
}

/** Whether `output` is missing or older than one of its sources. */
function isStale(output, sources) {
  const built = statSync(path.join(root, output), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return sources.some((source) => newestMs(path.join(root, source)) > built);
}

async function buildWhatIsStale() {
  const { ensureNative } = await import('./native.mjs');
  await ensureNative();
  const page = isStale('out/renderer/index.html', ['renderer', 'main/contract', 'package.json']);
  const main = isStale('out/main/serve.cjs', ['main', 'package.json']);
  if (!page && !main) return;
  say('Building the app (only when its sources change)...');
  const { buildMain, buildPage } = await import('./build.mjs');
  if (main) await buildMain();
  if (page) await buildPage();
}

/** Electron's program, fetched by its own installer when it is missing; else why there is none. */
function findElectron() {
  if (process.platform === 'linux' && !process.env.DISPLAY && !process.env.WAYLAND_DISPLAY) {
    return { reason: 'there is no display' };
  }
  const folder = path.join(root, 'node_modules', 'electron');
  const read = () => {
    const note = path.join(folder, 'path.txt');
    if (!existsSync(note)) return null;
    const dist = process.env.ELECTRON_OVERRIDE_DIST_PATH || path.join(folder, 'dist');
    const program = path.join(dist, readFileSync(note, 'utf8').trim());
    return existsSync(program) ? program : null;
  };
  if (read() === null && existsSync(path.join(folder, 'install.js'))) {
    say('Fetching Electron, once...');
    const options = { cwd: root, stdio: ['ignore', 'ignore', 'ignore'], timeout: downloadTimeoutMs };
    spawnSync(process.execPath, [path.join(folder, 'install.js')], options);
  }
  const program = read();
  return program === null ? { reason: 'Electron could not be fetched' } : { program };
}

async function start(args) {
  const web = args.includes('--web');
  const rest = args.filter((arg) => arg !== '--web' && arg !== '--no-build');
  if (!args.includes('--no-build')) await buildWhatIsStale();
  const electron = web ? null : findElectron();
  if (electron?.program) return become(electron.program, [root, ...rest]);
  if (electron) say(`No window, because ${electron.reason}: Nemoflash opens in your browser instead.`);
  const require = module.createRequire(import.meta.url);
  const { register } = require('../out/main/serve.cjs');
  const { Command } = require('commander');
  const program = new Command('npm start --');
  register(program);
  // A script that reads JSON opens the link itself.
  const open = rest.includes('--json') ? [] : ['--open'];
  await program.parseAsync(['serve', '--ui', '--port', '0', ...open, ...rest], { from: 'user' });
  return 0;
}

const ours = path.join(root, 'node_modules', '.bin', process.platform === 'win32' ? 'node.cmd' : 'node');
if (Number(process.versions.node.split('.')[0]) >= wantedNode) {
  try {
    process.exitCode = await start(process.argv.slice(2));
  } catch (error) {
    // What people can mend comes as a plain sentence; anything else is a bug, and its place helps.
    say(error.code !== undefined || error.name === 'Error' ? error.message : error.stack);
    process.exitCode = 1;
  }
} else if (existsSync(ours)) {
  process.exitCode = await become(ours, [import.meta.filename, ...process.argv.slice(2)]);
} else {
  say(`Nemoflash needs Node ${wantedNode}; this is ${process.version}. Run npm install first: it brings its own.`);
  process.exitCode = 1;
}
