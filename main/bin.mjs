#!/usr/bin/env node
// The command `nemoflash`. Plain JavaScript that runs on any Node from 20 on: it finds a Node that runs the rest, and
// builds the native engine when its sources changed.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import module from 'node:module';
import path from 'node:path';
import process from 'node:process';

const wantedNode = 24;
const root = path.resolve(import.meta.dirname, '..');
const ours = path.join(root, 'node_modules', '.bin', process.platform === 'win32' ? 'node.cmd' : 'node');
const say = (line) => process.stderr.write(`${line}\n`);
// What is compiled once, types stripped, is kept for the next start: it halves the time of one.
module.enableCompileCache?.(path.join(root, 'build', 'compile-cache'));

/** Runs this file with another Node in our place: same terminal, same signals, same exit code. */
function become(program) {
  const child = spawn(program, [import.meta.filename, ...process.argv.slice(2)], {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  // Ctrl+C in a terminal reaches the child by itself; what is sent to us alone is passed on.
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => {
      if (signal === 'SIGTERM' || !process.stdin.isTTY) child.kill(signal);
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(signal === 'SIGINT' ? 130 : signal ? 143 : code));
  });
}

async function main() {
  if (Number(process.versions.node.split('.')[0]) >= wantedNode) {
    const { ensureNative } = await import('./native.mjs');
    await ensureNative();
    const { run } = await import('./cli.ts');
    return run(process.argv.slice(2));
  }
  if (existsSync(ours)) return become(ours);
  say(`nemoflash needs Node ${wantedNode}; this is ${process.version}. Run npm install first: it brings its own.`);
  return 1;
}

try {
  const code = await main();
  process.exitCode ||= code;
} catch (error) {
  say(error.code !== undefined || error.name === 'Error' ? error.message : error.stack);
  process.exitCode = 1;
}
