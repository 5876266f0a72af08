import { useId, useState } from 'react';
import type { CSSProperties } from 'react';

import type { NumberRange } from '../../main/contract/domain.ts';
import { plain } from '../format.ts';
import { strings } from '../strings.ts';
import { IconButton } from './Button.tsx';

/** Sliders of wide ranges are logarithmic, so that the small values people use are not all at the left edge. */
const wide = 500;
const notches = 1000;

function toNotch(range: NumberRange, value: number): number {
  const span = range.max - range.min;
  const offset = value - range.min;
  return notches * (span > wide ? Math.log1p(offset) / Math.log1p(span) : offset / span);
}

function fromNotch(range: NumberRange, notch: number): number {
  const span = range.max - range.min;
  const share = notch / notches;
  const value = range.min + (span > wide ? Math.expm1(share * Math.log1p(span)) : share * span);
  // Two significant digits are as fine as a hand on a logarithmic slider.
  const step = span > wide ? Math.max(range.step, 10 ** (Math.floor(Math.log10(Math.max(1, value))) - 1)) : range.step;
  return Math.min(range.max, Math.max(range.min, Number((Math.round(value / step) * step).toFixed(4))));
}

/** A number as slider and as field. The default is a tick on the track; a different value is marked, one click resets. */
export function SliderField(props: {
  readonly label: string;
  readonly help: string;
  readonly range: NumberRange;
  readonly value: number;
  /** Receives values inside the range only. */
  readonly onChange: (value: number) => void;
}) {
  const { label, help, range, value, onChange } = props;
  const id = useId();
  const [typed, setTyped] = useState<string | null>(null);
  const changed = value !== range.default;
  const parsed = typed === null || typed.trim() === '' ? value : Number(typed.replace(',', '.'));
  const valid =
    Number.isFinite(parsed) &&
    parsed >= range.min &&
    parsed <= range.max &&
    (range.step < 1 || Number.isInteger(parsed));
  const places = {
    '--at': toNotch(range, value) / notches,
    '--default': toNotch(range, range.default) / notches,
  } as CSSProperties;

  return (
    <div className={changed ? 'slider-field changed' : 'slider-field'}>
      <div className="slider-head">
        <label className="field-label" htmlFor={`${id}-number`}>
          {label}
        </label>
        {changed && (
          <IconButton
            icon="reset"
            label={strings.sampling.reset(label, plain(range.default))}
            onClick={() => {
              setTyped(null);
              onChange(range.default);
            }}
          />
        )}
        <input
          id={`${id}-number`}
          className="input number figures"
          inputMode="decimal"
          value={typed ?? plain(value)}
          aria-invalid={!valid}
          aria-describedby={`${id}-help`}
          onChange={(change) => {
            const text = change.target.value;
            setTyped(text);
            const next = Number(text.replace(',', '.'));
            const fits = text.trim() !== '' && next >= range.min && next <= range.max;
            if (fits && (range.step < 1 || Number.isInteger(next))) onChange(next);
          }}
          onBlur={() => {
            if (valid) setTyped(null);
          }}
        />
      </div>
      <div className="slider" style={places}>
        <input
          type="range"
          aria-label={label}
          aria-describedby={`${id}-help`}
          aria-valuetext={plain(value)}
          min={0}
          max={notches}
          step="any"
          value={toNotch(range, value)}
          onChange={(change) => {
            setTyped(null);
            onChange(fromNotch(range, Number(change.target.value)));
          }}
          onKeyDown={(key) => {
            const by =
              key.key === 'ArrowRight' || key.key === 'ArrowUp'
                ? 1
                : key.key === 'ArrowLeft' || key.key === 'ArrowDown'
                  ? -1
                  : 0;
            if (by === 0) return;
            key.preventDefault();
            setTyped(null);
            onChange(Math.min(range.max, Math.max(range.min, Number((value + by * range.step).toFixed(4)))));
          }}
        />
        <span className="slider-tick" aria-hidden="true" />
      </div>
      <p id={`${id}-help`} className={valid ? 'field-help' : 'field-help field-error'}>
        {valid ? help : strings.sampling.range(plain(range.min), plain(range.max))}
      </p>
    </div>
  );
}
