import reactHooks from 'eslint-plugin-react-hooks';
import tseslint from 'typescript-eslint';

/**
 * The rooms and who may enter them (docs/architecture.md). Each entry: files of a room, what they must not import.
 * Patterns are gitignore-style and match the import as written.
 */
const room = (files, forbidden, reason) => ({
  files,
  rules: {
    'no-restricted-imports': [
      'error',
      { patterns: forbidden.map((entry) => (typeof entry === 'string' ? { group: [entry], message: reason } : entry)) },
    ],
  },
});

/** One owner per danger: everyone else is refused these modules. */
const owners = {
  electron: [
    'main/index.ts',
    'main/window.ts',
    'main/preload.ts',
    'main/menu.ts',
    'main/updates.ts',
    'main/desktop/**/*.ts',
    'main/ipc/electron.ts',
  ],
  hub: ['main/models/hub.ts'],
  ws: ['main/ipc/websocket.ts'],
};
const notElectron = {
  group: ['electron', 'electron/*'],
  message: 'Only index, window, preload, menu, updates, desktop and ipc/electron may import electron.',
};
const notHub = { group: ['@huggingface/hub'], message: 'Only main/models/hub.ts talks to the hub.' };
const notWs = { group: ['ws'], message: 'Only main/ipc/websocket.ts speaks WebSocket.' };
const notRenderer = { group: ['**/renderer/**'], message: 'main never imports the page.' };
const notTest = { group: ['**/test/**'], message: 'Nothing imports test.' };
const everywhere = [notElectron, notHub, notWs, notRenderer, notTest];
const without = (...removed) => everywhere.filter((entry) => !removed.includes(entry));

export default tseslint.config(
  { ignores: ['node_modules/', 'out/', 'build/', 'dist/', 'coverage/', 'test/.artifacts/', '.gpu/'] },
  ...tseslint.configs.recommended,
  {
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'separate-type-imports' }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      'no-restricted-exports': ['error', { restrictDefaultExports: { direct: true, named: true, defaultFrom: true } }],
      'no-console': 'error',
      eqeqeq: ['error', 'always'],
      'no-restricted-globals': ['error', { name: 'event', message: 'Name the event you handle.' }],
    },
  },
  {
    // Rules that need types; main and renderer each have their own program.
    files: ['main/**/*.ts', 'renderer/**/*.{ts,tsx}'],
    ignores: ['renderer/vite.config.ts'],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    },
  },
  {
    files: ['*.config.*', 'renderer/vite.config.ts', 'test/**', 'eslint.config.js'],
    rules: { 'no-restricted-exports': 'off' },
  },
  { files: ['main/cli.ts', 'main/commands/**', 'main/*.mjs', 'test/**'], rules: { 'no-console': 'off' } },

  room(['main/**/*.ts'], everywhere),
  room(
    ['main/contract/**/*.ts'],
    [...everywhere, { group: ['../*', 'node:*'], message: 'The contract imports nothing of ours outside its room.' }],
  ),
  room(
    ['main/engine/**/*.ts'],
    [
      ...everywhere,
      {
        group: ['../contract/ipc*.ts', '../ipc/*', '../models/*', '../history/*'],
        message: 'The engine room knows contract/{domain,errors} and node only.',
      },
    ],
  ),
  room(
    ['main/models/**/*.ts'],
    [
      ...everywhere,
      {
        group: ['../contract/ipc*.ts', '../ipc/*', '../engine/*', '../history/*'],
        message: 'The model room knows contract/{domain,errors}, node and the hub client only.',
      },
    ],
  ),
  room(
    ['main/server/**/*.ts'],
    [
      ...everywhere,
      {
        group: [
          ...['../ipc/*', '../models/*', '../history/*', '../chat/*', '../metrics/*', '../commands/*', '../app.ts'],
          ...['../contract/ipc*.ts', '../settings.ts', '../engine/*', '!../engine/engineApi.ts'],
        ],
        message: "The API knows the contract and the engine's face only.",
      },
    ],
  ),
  room(
    ['main/history/**/*.ts', 'main/chat/**/*.ts', 'main/metrics/**/*.ts'],
    [
      ...everywhere,
      {
        group: [
          ...['../ipc/*', '../models/*', '../server/*', '../commands/*', '../app.ts', '../settings.ts'],
          ...['../engine/*', '!../engine/engineApi.ts'],
        ],
        message: "Stores and chats know the contract, each other and the engine's face only.",
      },
    ],
  ),
  room(
    ['main/models/hub.ts'],
    [...without(notHub), { group: ['../engine/*', '../ipc/*'], message: 'The model room stands alone.' }],
  ),
  room(owners.electron, without(notElectron)),
  room(owners.ws, without(notWs)),
  {
    files: ['main/**/*.ts'],
    ignores: ['main/ipc/electron.ts', 'main/preload.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        { selector: "ImportSpecifier[imported.name='ipcMain']", message: 'Only main/ipc/electron.ts may use ipcMain.' },
        {
          selector: "ImportSpecifier[imported.name='ipcRenderer']",
          message: 'Only main/preload.ts may use ipcRenderer.',
        },
      ],
    },
  },

  {
    files: ['renderer/**/*.{ts,tsx}'],
    plugins: { 'react-hooks': reactHooks },
    rules: { ...reactHooks.configs.recommended.rules },
  },
  ...[
    {
      files: ['renderer/**/*.{ts,tsx}'],
      values: [
        {
          group: ['electron', 'node:*', 'zod', 'ws', '@huggingface/*', '**/test/**'],
          message: 'The page has no Node, no zod, no hub.',
        },
        { regex: '/main/(?!contract/)', message: 'The page may enter main/contract only.' },
        {
          regex: '/main/contract/ipc',
          allowTypeImports: true,
          message: 'Only types from contract/ipc: zod stays out of the bundle.',
        },
      ],
    },
  ].map(({ files, values }) => ({
    files,
    ignores: ['renderer/vite.config.ts'],
    rules: { '@typescript-eslint/no-restricted-imports': ['error', { patterns: values }] },
  })),
  {
    files: ['renderer/state/**/*.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        { patterns: [{ group: ['../views/*', '../ui/*'], message: 'State knows nothing of views.' }] },
      ],
    },
  },
);
