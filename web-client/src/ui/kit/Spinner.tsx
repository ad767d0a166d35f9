import './Spinner.css';

interface Props {
  label: string;
}

/** Something is on its way; the words say what. */
export function Spinner({ label }: Props) {
  return (
    <p class="spinner" role="status">
      <span class="spinner-ring" aria-hidden="true" />
      {label}
    </p>
  );
}
