import { newPasswordSchema } from "@berth/protocol";
import { type FormEvent, useState } from "react";
import { Value } from "typebox/value";
import { useCall } from "../api/use-call.ts";
import { Button } from "../ui/button.tsx";
import { FailureNote } from "../ui/failure-note.tsx";
import { Field } from "../ui/field.tsx";
import { GatePage } from "./gate-page.tsx";
import type { Session } from "./session.ts";

const passwordRule = "At least 10 characters.";

/** The first page of a new Berth: sets the admin's password. Without the link's token it says where to find the link. */
export function SetupPage({ session, token }: { session: Session; token: string | undefined }) {
  return token === undefined ? <SetupNeeded session={session} /> : <SetupForm session={session} token={token} />;
}

function SetupNeeded({ session }: { session: Session }) {
  return (
    <GatePage title="Set up Berth">
      <p>
        The admin’s password is not set yet. Open the one-time set-up link that the controller printed when it started.
      </p>
      <p className="gate-note">
        The link has expired? Start the controller again: it prints a new one, on the terminal or in its log.
      </p>
      <Button onClick={() => void session.begin()}>Check again</Button>
    </GatePage>
  );
}

function SetupForm({ session, token }: { session: Session; token: string }) {
  const [password, setPassword] = useState("");
  const [repeated, setRepeated] = useState("");
  const [tried, setTried] = useState(false);
  const setUp = useCall(() => session.setUp(token, password));
  const tooShort = Value.Check(newPasswordSchema, password) ? undefined : passwordRule;
  const differs = repeated === password ? undefined : "The two passwords differ.";
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (!tooShort && !differs) void setUp.run();
  };
  const linkIsDead = setUp.failure?.code === "setup_link_invalid" || setUp.failure?.code === "conflict";
  return (
    <GatePage title="Set the admin’s password">
      <p>You sign in with it as “admin”. The link that led here works this once.</p>
      <form className="form" onSubmit={submit} noValidate>
        <input type="text" name="username" autoComplete="username" value="admin" readOnly hidden />
        <Field
          label="New password"
          type="password"
          autoComplete="new-password"
          maxLength={256}
          autoFocus
          value={password}
          note={passwordRule}
          wrong={tried ? tooShort : undefined}
          onChange={(event) => setPassword(event.target.value)}
        />
        <Field
          label="Once more"
          type="password"
          autoComplete="new-password"
          maxLength={256}
          value={repeated}
          wrong={tried ? differs : undefined}
          onChange={(event) => setRepeated(event.target.value)}
        />
        {setUp.failure && (
          <FailureNote failure={setUp.failure}>
            {linkIsDead && <Button onClick={() => session.leaveSetup()}>Go to sign-in</Button>}
          </FailureNote>
        )}
        <Button look="primary" type="submit" busy={setUp.pending}>
          Set password and sign in
        </Button>
      </form>
    </GatePage>
  );
}
