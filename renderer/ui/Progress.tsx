/** A bar from 0 to 1; null: under way, share unknown. */
export function Progress(props: { readonly label: string; readonly share: number | null; readonly thin?: boolean }) {
  const { label, share, thin } = props;
  const percent = share === null ? null : Math.round(1000 * Math.min(1, Math.max(0, share))) / 10;
  return (
    <div
      className={thin === true ? 'progress progress-thin' : 'progress'}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      {...(percent === null ? {} : { 'aria-valuenow': percent })}
    >
      <div
        className={percent === null ? 'progress-fill progress-open' : 'progress-fill'}
        style={{ width: `${percent ?? 30}%` }}
      />
    </div>
  );
}
