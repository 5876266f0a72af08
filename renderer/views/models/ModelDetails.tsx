import { useEffect } from 'react';

import type { InstalledModel } from '../../../main/contract/domain.ts';
import {
  checkUpdate,
  loadDetails,
  moveModel,
  removeModel,
  repairModel,
  useLibrary,
  verifyModel,
} from '../../state/library.ts';
import { describe } from '../../state/models.ts';
import { bytesText, dateText } from '../../format.ts';
import { strings } from '../../strings.ts';
import { Button } from '../../ui/Button.tsx';
import { Fact } from '../../ui/Fact.tsx';
import { Notice } from '../../ui/Notice.tsx';
import { FolderChoice } from '../FolderChoice.tsx';
import { FormatTable } from './FormatTable.tsx';

/** What is known of an installed model, its formats, and what can be done with it. */
export function ModelDetails(props: {
  readonly model: InstalledModel;
  readonly loaded: boolean;
  readonly onUpdate: (repo: string) => void;
}) {
  const { model, loaded, onUpdate } = props;
  const busy = useLibrary((state) => state.tasks[model.id] !== undefined);
  useEffect(() => void loadDetails(model.id), [model.id]);
  return (
    <div className="details">
      <dl className="facts">
        {model.repo !== null && <Fact term={strings.library.repo}>{model.repo}</Fact>}
        <Fact term={strings.library.revision}>{model.revision?.slice(0, 12) ?? strings.library.unknown}</Fact>
        <Fact term={strings.onboarding.licenceLabel}>{model.licenceId ?? strings.library.unknown}</Fact>
        <Fact term={strings.library.size}>{bytesText(model.sizeBytes)}</Fact>
        <Fact term={strings.library.verified}>
          {model.verifiedAt === null ? strings.models.notVerified : dateText(model.verifiedAt)}
        </Fact>
        <Fact term={strings.onboarding.folder}>{model.folder}</Fact>
      </dl>
      <FormatTable model={model} loaded={loaded} busy={busy} />
      <Update model={model} onUpdate={onUpdate} />
      <div className="row">
        <Button disabled={busy} onClick={() => void verifyModel(model.id)}>
          {strings.models.verify}
        </Button>
        {model.repo !== null && (
          <Button disabled={busy || loaded} onClick={() => void repairModel(model.id)}>
            {strings.library.repair}
          </Button>
        )}
        {!busy && !loaded && (
          <FolderChoice
            label={strings.library.move}
            fieldLabel={strings.library.moveField}
            onChoose={(folder) => void moveModel(model.id, folder)}
          />
        )}
        {model.repo !== null && (
          <Button onClick={() => void checkUpdate(model.id)}>{strings.library.checkUpdate}</Button>
        )}
        <Button look="danger" disabled={busy || loaded} onClick={() => void removeModel(model)}>
          {model.origin === 'imported' ? strings.library.forget : strings.models.remove}
        </Button>
      </div>
      {loaded && <p className="field-help">{strings.library.loadedHelp}</p>}
    </div>
  );
}

/** Shown, never automatic. */
function Update({ model, onUpdate }: { readonly model: InstalledModel; readonly onUpdate: (repo: string) => void }) {
  const update = useLibrary((state) => state.updates[model.id]);
  const { repo } = model;
  if (update === undefined || repo === null) return null;
  if (!update.available) {
    return (
      <p role="status" className="soft item-line">
        {strings.library.newest}
      </p>
    );
  }
  const show = (): void => {
    void describe(repo);
    onUpdate(repo);
  };
  return (
    <Notice
      tone="plain"
      actions={
        <Button look="link" onClick={show}>
          {strings.models.get}
        </Button>
      }
    >
      {strings.library.updateAvailable(update.latestRevision.slice(0, 12))}
    </Notice>
  );
}
