import { keptFormats, weightFormats } from '../../../main/contract/domain.ts';
import type { FormatForecast, InstalledModel, KeptFormat, WeightFormat } from '../../../main/contract/domain.ts';
import { makeFormat, removeFormat, useLibrary } from '../../state/library.ts';
import { bytesText } from '../../format.ts';
import { strings } from '../../strings.ts';
import { Button } from '../../ui/Button.tsx';

const isKept = (format: WeightFormat): format is KeptFormat => (keptFormats as readonly string[]).includes(format);

/** What each format needs and brings on this machine's best device, and which ones are ready on the disk. */
export function FormatTable(props: {
  readonly model: InstalledModel;
  readonly loaded: boolean;
  readonly busy: boolean;
}) {
  const details = useLibrary((state) => state.details[props.model.id]);
  if (details === undefined) return <p className="soft">{strings.common.loading}</p>;
  const device = details.forecasts.some((entry) => entry.device === 'cuda') ? 'cuda' : 'cpu';
  const forecastOf = (format: WeightFormat) =>
    details.forecasts.find((entry) => entry.format === format && entry.device === device);
  const { format: head, needs, speed, kept } = strings.library.table;
  return (
    <div className="table-scroll" tabIndex={0} role="region" aria-label={strings.library.formats(props.model.name)}>
      <table className="series library-table">
        <thead>
          <tr>
            <th scope="col">{head}</th>
            <th scope="col">{needs[device]}</th>
            <th scope="col">{speed}</th>
            <th scope="col">{kept}</th>
          </tr>
        </thead>
        <tbody>
          {weightFormats.map((format) => (
            <tr key={format}>
              <th scope="row">{format}</th>
              <Forecast forecast={forecastOf(format)} />
              <td>{isKept(format) ? <Kept {...props} format={format} /> : strings.library.original}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Forecast({ forecast }: { readonly forecast: FormatForecast | undefined }) {
  if (forecast === undefined) {
    return (
      <>
        <td>{strings.common.none}</td>
        <td>{strings.common.none}</td>
      </>
    );
  }
  return (
    <>
      <td className={forecast.fits ? '' : 'field-error'}>
        {bytesText(forecast.memoryBytes)}
        {!forecast.fits && ` · ${strings.library.tooBig}`}
      </td>
      <td>
        {forecast.fits && forecast.tokensPerSecond !== null
          ? strings.onboarding.speed(forecast.tokensPerSecond)
          : strings.common.none}
      </td>
    </>
  );
}

function Kept(props: {
  readonly model: InstalledModel;
  readonly format: KeptFormat;
  readonly loaded: boolean;
  readonly busy: boolean;
}) {
  const { model, format, loaded, busy } = props;
  const made = useLibrary((state) => state.details[model.id]?.formats.find((entry) => entry.format === format));
  const bytes = made?.cachedBytes ?? null;
  const stoppedBytes = made?.stoppedBytes ?? 0;
  const make = stoppedBytes > 0 ? strings.library.goOn : strings.library.make;
  return (
    <>
      {bytes !== null && `${bytesText(bytes)} `}
      {bytes === null && stoppedBytes > 0 && `${strings.library.stoppedAt(bytesText(stoppedBytes))} `}
      {bytes === null && (
        <Button
          look="link"
          disabled={busy}
          aria-label={`${make}: ${format}`}
          onClick={() => void makeFormat(model.id, format)}
        >
          {make}
        </Button>
      )}{' '}
      {(bytes !== null || stoppedBytes > 0) && (
        <Button
          look="link"
          disabled={busy || loaded}
          aria-label={`${strings.models.remove}: ${format}`}
          onClick={() => void removeFormat(model.id, format)}
        >
          {strings.models.remove}
        </Button>
      )}
    </>
  );
}
