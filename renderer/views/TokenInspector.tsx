import { useEffect, useRef, useState } from 'react';
import type { CSSProperties, KeyboardEvent } from 'react';

import type { Message, TokenDetail } from '../../main/contract/domain.ts';
import { request } from '../bridge.ts';
import { branchAt, useChat } from '../state/chat.ts';
import { selectBusy } from '../state/chatReducers.ts';
import { useSettings } from '../state/settings.ts';
import { toggleTokens } from '../state/ui.ts';
import { probability } from '../format.ts';
import { strings } from '../strings.ts';
import { Button } from '../ui/Button.tsx';

/** As it can be seen: a line break is drawn, and breaks the line too. */
const visible = (text: string): string => (text === '' ? '·' : text.replaceAll('\n', '↵\n'));
/** Inside a sentence, where a break would only confuse. */
const named = (text: string): string => JSON.stringify(text).slice(1, -1);

/** An answer as its tokens: how likely each was, what else could have come, and going on with one of those. */
export function TokenInspector({ message }: { readonly message: Message }) {
  const [details, setDetails] = useState<readonly TokenDetail[] | null>(null);
  const [index, setIndex] = useState(0);
  useEffect(() => {
    let wanted = true;
    void request('chat.inspect', { messageId: message.id }).then(
      (found) => wanted && setDetails(found),
      () => wanted && setDetails([]),
    );
    return () => void (wanted = false);
  }, [message.id, message.stats]);
  if (details === null) return <p className="ending">{strings.common.loading}</p>;
  const current = details[index];
  if (current === undefined) return <NothingKnown />;
  return (
    <div className="inspector">
      <Tokens details={details} index={index} onPick={setIndex} />
      <Alternatives message={message} detail={current} index={index} />
    </div>
  );
}

function NothingKnown() {
  const logprobs = useSettings((state) => state.settings.logprobs);
  return <p className="ending">{logprobs > 0 ? strings.inspector.nothingHere : strings.inspector.off}</p>;
}

interface TokensProps {
  readonly details: readonly TokenDetail[];
  readonly index: number;
  readonly onPick: (index: number) => void;
}

/** One stop of the tabulator; the arrows walk from token to token. */
function Tokens({ details, index, onPick }: TokensProps) {
  const list = useRef<HTMLDivElement>(null);
  const walk = (key: KeyboardEvent): void => {
    const step = key.key === 'ArrowRight' ? 1 : key.key === 'ArrowLeft' ? -1 : 0;
    const target = Math.min(details.length - 1, Math.max(0, index + step));
    if (step === 0) return;
    key.preventDefault();
    onPick(target);
    const button = list.current?.children[target];
    if (button instanceof HTMLElement) button.focus();
  };
  return (
    <div ref={list} className="tokens" dir="auto" role="group" aria-label={strings.inspector.tokens} onKeyDown={walk}>
      {details.map((detail, at) => (
        <button
          key={at}
          type="button"
          className="token"
          tabIndex={at === index ? 0 : -1}
          aria-pressed={at === index}
          aria-label={strings.inspector.token(named(detail.text), probability(detail.logprob))}
          style={{ '--surprise': 1 - Math.exp(detail.logprob) } as CSSProperties}
          onPointerEnter={() => onPick(at)}
          onFocus={() => onPick(at)}
        >
          {visible(detail.text)}
        </button>
      ))}
    </div>
  );
}

function Alternatives(props: { readonly message: Message; readonly detail: TokenDetail; readonly index: number }) {
  const { message, detail, index } = props;
  const answering = useChat(selectBusy);
  return (
    <section className="alternatives" aria-label={strings.inspector.alternatives}>
      <p className="figures alternatives-head">
        <code>{named(detail.text)}</code>
        <span>{probability(detail.logprob)}</span>
        <span className="soft">{strings.inspector.place(index + 1)}</span>
      </p>
      <ul role="list">
        {detail.top.map((other) => (
          <li key={other.token}>
            <button
              type="button"
              className="alternative figures"
              style={{ '--share': Math.exp(other.logprob) } as CSSProperties}
              disabled={answering || other.text === detail.text || other.text.includes('\ufffd')}
              onClick={() => {
                toggleTokens(message.id);
                void branchAt(message.id, index, other.token);
              }}
            >
              <span className="visually-hidden">{strings.inspector.goOn}</span> <code>{named(other.text)}</code>{' '}
              <span>{probability(other.logprob)}</span>
            </button>
          </li>
        ))}
      </ul>
      <p className="field-help">{strings.inspector.help}</p>
      <Button look="link" onClick={() => toggleTokens(message.id)}>
        {strings.chat.rendered}
      </Button>
    </section>
  );
}
