import { type FormEvent, useState } from "react";
import { useCall } from "../api/use-call.ts";
import { Button } from "../ui/button.tsx";
import { FailureNote } from "../ui/failure-note.tsx";
import { Field } from "../ui/field.tsx";
import { GatePage } from "./gate-page.tsx";
import type { Session } from "./session.ts";

/** Name and password. */
export function SignInPage({ session, expired }: { session: Session; expired: boolean }) {
  const [username, setUsername] = useState("admin");
  const [password, setPassword] = useState("");
  const signIn = useCall(() => session.signIn(username, password));
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (!(await signIn.run())) setPassword("");
  };
  return (
    <GatePage title="Sign in">
      {expired && !signIn.failure && <p className="gate-note">Your session has ended. Your terminals go on.</p>}
      <form className="form" onSubmit={submit}>
        <Field
          label="User name"
          name="username"
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          required
          maxLength={64}
          value={username}
          onChange={(event) => setUsername(event.target.value)}
        />
        <Field
          label="Password"
          name="password"
          type="password"
          autoComplete="current-password"
          required
          maxLength={256}
          autoFocus
          value={password}
          onChange={(event) => setPassword(event.target.value)}
        />
        {signIn.failure && <FailureNote failure={signIn.failure} />}
        <Button look="primary" type="submit" busy={signIn.pending}>
          Sign in
        </Button>
      </form>
    </GatePage>
  );
}
