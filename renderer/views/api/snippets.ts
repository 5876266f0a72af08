/** One request that works as it stands, in the ways that people try an API. */
export const snippetLanguages = ['curl', 'python', 'javascript'] as const;
export type SnippetLanguage = (typeof snippetLanguages)[number];

export interface SnippetFacts {
  readonly baseUrl: string;
  readonly key: string;
  readonly model: string;
}

const question = 'Where is New York?';

const writers: Readonly<Record<SnippetLanguage, (facts: SnippetFacts) => readonly string[]>> = {
  curl: ({ baseUrl, key, model }) => [
    `curl ${baseUrl}/chat/completions \\`,
    `  -H "Authorization: Bearer ${key}" \\`,
    '  -H "Content-Type: application/json" \\',
    `  -d '{"model": "${model}", "max_tokens": 64,`,
    `       "messages": [{"role": "user", "content": "${question}"}]}'`,
  ],
  python: ({ baseUrl, key, model }) => [
    'from openai import OpenAI  # pip install openai',
    '',
    `client = OpenAI(base_url="${baseUrl}", api_key="${key}")`,
    'stream = client.chat.completions.create(',
    `    model="${model}",`,
    `    messages=[{"role": "user", "content": "${question}"}],`,
    '    stream=True,',
    ')',
    'for chunk in stream:',
    '    print(chunk.choices[0].delta.content or "", end="", flush=True)',
  ],
  javascript: ({ baseUrl, key, model }) => [
    "import OpenAI from 'openai'; // npm install openai",
    '',
    `const client = new OpenAI({ baseURL: '${baseUrl}', apiKey: '${key}' });`,
    'const stream = await client.chat.completions.create({',
    `  model: '${model}',`,
    `  messages: [{ role: 'user', content: '${question}' }],`,
    '  stream: true,',
    '});',
    "for await (const chunk of stream) process.stdout.write(chunk.choices[0].delta.content ?? '');",
  ],
};

export function snippet(language: SnippetLanguage, facts: SnippetFacts): string {
  return writers[language](facts).join('\n');
}
