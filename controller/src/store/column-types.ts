import type { ColumnType, JSONColumnType } from "kysely";

/** An instant; the database's own default on insertion. */
export type CreatedAt = ColumnType<Date, Date | undefined, never>;
export type Instant = ColumnType<Date, Date, Date>;
export type OptionalInstant = ColumnType<Date | null, Date | null | undefined, Date | null>;
/** A value kept as JSON: written as text. */
export type Json<T> = JSONColumnType<T & object>;
export type OptionalJson<T> = ColumnType<T | null, string | null | undefined, string | null>;
/** A count that PostgreSQL keeps in 64 bits; the driver reads it as a number. */
export type Count = ColumnType<number, number | undefined, number>;
