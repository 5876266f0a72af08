import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

import '@fontsource-variable/inter/index.css';
import '@fontsource-variable/jetbrains-mono/index.css';
import './tokens.css';
import './base.css';
import './ui/controls.css';
import './views/frame.css';
import './views/chat.css';
import './views/pages.css';
import './views/latency/latency.css';
import './views/api/api.css';
import './views/markdown/prose.css';

import { language } from './language.ts';
import { start } from './state/start.ts';
import { App } from './views/App.tsx';
import { fetchLater } from './views/pages.ts';

document.documentElement.lang = language;
start(fetchLater);
const root = document.getElementById('root');
if (root === null) throw new Error('index.html has no #root');
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
