/** An answer of PVE that is not 200. The text stands in the reason phrase, and again in the body. */
export class ApiError extends Error {
  readonly status: number;
  /** Complaints by parameter, for a 400. */
  readonly errors: Readonly<Record<string, string>> | undefined;

  constructor(status: number, message: string, errors?: Readonly<Record<string, string>>) {
    super(message);
    this.status = status;
    this.errors = errors;
  }

  /** 400: the parameters do not pass. */
  static parameters(errors: Readonly<Record<string, string>>): ApiError {
    return new ApiError(400, "Parameter verification failed.", errors);
  }

  /** 403; inside an alternative PVE does not tell which privilege was wanted. */
  static permission(wanted?: { path: string; privileges: readonly string[] }): ApiError {
    const detail = wanted ? ` (${wanted.path}, ${wanted.privileges.join("|")})` : "";
    return new ApiError(403, `Permission check failed${detail}`);
  }

  /** 403 for another reason than a privilege. */
  static denied(why: string): ApiError {
    return new ApiError(403, `Permission check failed (${why})`);
  }

  /** 500: what PVE says when one of its functions died with this text. */
  static died(message: string): ApiError {
    return new ApiError(500, message);
  }

  /** 595: the host that was asked has no connection to the one that the call is about. */
  static noConnection(): ApiError {
    return new ApiError(595, "No route to host");
  }

  /** 501: no such path, or no such method on it. */
  static notImplemented(method: string, path: string): ApiError {
    return new ApiError(501, `Method '${method} ${path}' not implemented`);
  }
}

/** 401: the reason phrase only, with neither body nor content type. */
export class AuthenticationError extends Error {}
