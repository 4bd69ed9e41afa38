/** A SHA-256 in groups of eight bytes: easier to compare, and whole when it is copied. */
export function Fingerprint({ fingerprint }: { fingerprint: string }) {
  return (
    <span className="fingerprint mono">
      {(fingerprint.match(/.{1,24}/g) ?? []).map((group) => (
        <span key={group}>{group}</span>
      ))}
    </span>
  );
}
