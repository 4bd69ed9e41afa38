import { TemplateCare, useTemplateCare } from "../template/template-page.tsx";
import "../template/template.css";
import { Button } from "../ui/button.tsx";
import type { StepProps } from "./connection-page.tsx";

/** Sees to it that there is something to clone sandboxes from. */
export function TemplateStep({ onGo }: Pick<StepProps, "onGo">) {
  const care = useTemplateCare();
  const ready = care.known.template?.state === "ready";
  return (
    <section className="form template-care">
      <h2>What sandboxes are cloned from</h2>
      {ready && !care.building ? (
        <p>The template is there: nothing is to be done.</p>
      ) : (
        <p className="quiet">Berth goes on with a build when you leave this page.</p>
      )}
      {!(ready && !care.building) && <TemplateCare care={care} />}
      <div className="step-actions">
        <Button look={ready ? "primary" : "plain"} onClick={() => onGo("sandbox")} disabled={!ready}>
          Continue
        </Button>
      </div>
    </section>
  );
}
