/**
 * Whose the sandboxes of the warm pool are: the pool itself, a user that a migration made and nobody can sign in as. So
 * they are in nobody's list, and count for nobody.
 */
export const poolOwnerId = "usr_warmpool000000000000";
