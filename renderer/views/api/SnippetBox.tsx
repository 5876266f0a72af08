import { useState } from 'react';

import { apiStrings } from '../../apiStrings.ts';
import { useApi } from '../../state/api.ts';
import { selectModel, useEngine } from '../../state/engine.ts';
import { useSettings } from '../../state/settings.ts';
import { CopyButton } from '../../ui/CopyButton.tsx';
import { Segmented } from '../../ui/Segmented.tsx';
import { masked } from './masked.ts';
import { snippet, snippetLanguages } from './snippets.ts';
import type { SnippetLanguage } from './snippets.ts';

/** What is shown hides the key, what is copied has it. */
export function SnippetBox() {
  const [language, setLanguage] = useState<SnippetLanguage>('curl');
  const url = useApi((state) => state.status?.url ?? null);
  const key = useApi((state) => state.key) ?? '';
  const port = useSettings((state) => state.settings.api.port);
  const model = useEngine(selectModel)?.name ?? 'nvidia/Nemotron-Flash-3B-Instruct';
  const facts = { baseUrl: `${url ?? `http://127.0.0.1:${port}`}/v1`, model };
  return (
    <div className="api-snippet">
      <div className="api-snippet-bar">
        <Segmented
          label={apiStrings.snippets}
          value={language}
          choices={snippetLanguages.map((value) => ({ value, label: apiStrings.languages[value] }))}
          onChange={setLanguage}
        />
        <span className="field-help">{apiStrings.snippetsHelp}</span>
        <CopyButton label={apiStrings.copySnippet} text={() => snippet(language, { ...facts, key })} />
      </div>
      <pre className="api-code scroll" tabIndex={0} aria-label={apiStrings.languages[language]}>
        <code>{snippet(language, { ...facts, key: masked(key) })}</code>
      </pre>
    </div>
  );
}
