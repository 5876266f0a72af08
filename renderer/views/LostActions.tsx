import type { LoadRequest } from '../../main/contract/domain.ts';
import { loadModel } from '../state/engine.ts';
import { strings } from '../strings.ts';
import { Button } from '../ui/Button.tsx';

/** What helps when the GPU is gone; nothing falls back by itself. */
export function LostActions({ request }: { readonly request: LoadRequest }) {
  return (
    <>
      <Button look="primary" onClick={() => void loadModel(request)}>
        {strings.model.retryGpu}
      </Button>
      <Button onClick={() => void loadModel({ ...request, device: 'cpu' })}>{strings.model.useCpu}</Button>
    </>
  );
}
