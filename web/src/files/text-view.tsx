import { useEffect, useMemo, useRef } from "react";

/** The height of a line in pixels: the style sheet has the same. */
const lineHeight = 20;

export interface TextViewProps {
  text: string;
  /** A line to be shown and marked, from 1 on. */
  line: number | undefined;
  label: string;
}

/** A text with the numbers of its lines. Three elements, however many lines there are. */
export function TextView({ text, line, label }: TextViewProps) {
  const place = useRef<HTMLElement>(null);
  const numbers = useMemo(() => numbersOf(text), [text]);
  useEffect(() => {
    const element = place.current;
    if (line !== undefined && element)
      element.scrollTop = Math.max(0, (line - 1) * lineHeight - element.clientHeight / 3);
  }, [line]);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keys
    <section className="text-view mono" ref={place} tabIndex={0} aria-label={`Text of ${label}`}>
      {line !== undefined && <div className="text-line" style={{ top: `${(line - 1) * lineHeight + 8}px` }} />}
      <pre className="text-numbers" aria-hidden="true">
        {numbers}
      </pre>
      <pre className="text-lines">{text}</pre>
    </section>
  );
}

function numbersOf(text: string): string {
  const lines = text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
  return Array.from({ length: lines }, (_, index) => index + 1).join("\n");
}

export interface TextEditorProps {
  text: string;
  readOnly: boolean;
  label: string;
  onChange: (text: string) => void;
  onSave: () => void;
}

/** A plain field for a text; Ctrl+S saves. The tab key leaves it, as in any field. */
export function TextEditor({ text, readOnly, label, onChange, onSave }: TextEditorProps) {
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    // At its beginning: the end may be far below.
    field.current?.setSelectionRange(0, 0);
    field.current?.focus();
  }, []);
  return (
    <textarea
      ref={field}
      className="text-editor mono"
      aria-label={`Edit ${label}`}
      value={text}
      readOnly={readOnly}
      wrap="off"
      spellCheck={false}
      autoCapitalize="off"
      autoCorrect="off"
      onChange={({ currentTarget }) => onChange(currentTarget.value)}
      onKeyDown={(event) => {
        if (event.key !== "s" || !(event.ctrlKey || event.metaKey)) return;
        event.preventDefault();
        onSave();
      }}
    />
  );
}
