import { useChat } from '../state/chat.ts';
import { selectCut } from '../state/chatReducers.ts';
import { strings } from '../strings.ts';

/** Drawn before the first message that the model still sees: what is above it was left out, or only summarised. */
export function CutLine({ id }: { readonly id: string }) {
  const cut = useChat((state) => {
    const current = selectCut(state);
    return current?.firstId === id ? current : null;
  });
  if (cut === null) return null;
  const words = strings.context.cut(cut.droppedMessages);
  return (
    <div className="cut" role="note" aria-label={words}>
      <p className="cut-line">
        <span>{words}</span>
      </p>
      {cut.summary !== null && (
        <details className="cut-summary">
          <summary>{strings.context.summary}</summary>
          <p dir="auto">{cut.summary}</p>
        </details>
      )}
    </div>
  );
}
