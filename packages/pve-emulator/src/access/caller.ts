/** Who makes a call. */
export interface Caller {
  /** `user@realm`. */
  readonly userid: string;
  /** The name of the token, when one was used. */
  readonly tokenName?: string;
  /** `user@realm`, or `user@realm!token`. */
  readonly id: string;
}

export function callerOf(userid: string, tokenName?: string): Caller {
  return tokenName === undefined ? { userid, id: userid } : { userid, tokenName, id: `${userid}!${tokenName}` };
}

/** Some options are for root itself; not even a token of root's may use them. */
export function isRootItself(caller: Caller): boolean {
  return caller.id === "root@pam";
}
