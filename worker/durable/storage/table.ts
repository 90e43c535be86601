/** Tables whose columns are defined once: the type of a record and all that reads and writes it follow from that. */

/** How a field is stored. Its column has the field's name in snake case. */
export interface Column<Value> {
  readonly type: 'TEXT' | 'INTEGER';
  readonly isNullable: boolean;
  read(stored: SqlStorageValue): Value;
  write(value: Value): SqlStorageValue;
}

export function text<Value extends string = string>(): Column<Value> {
  return { type: 'TEXT', isNullable: false, read: (stored) => stored as Value, write: (value) => value };
}

export function integer(): Column<number> {
  return { type: 'INTEGER', isNullable: false, read: Number, write: (value) => value };
}

export function boolean(): Column<boolean> {
  return { type: 'INTEGER', isNullable: false, read: (stored) => stored === 1, write: Number };
}

export function json<Value>(): Column<Value> {
  return { type: 'TEXT', isNullable: false, read: (stored) => JSON.parse(String(stored)), write: JSON.stringify };
}

export function nullable<Value>(column: Column<Value>): Column<Value | null> {
  return {
    type: column.type,
    isNullable: true,
    read: (stored) => (stored === null ? null : column.read(stored)),
    write: (value) => (value === null ? null : column.write(value)),
  };
}

export type Columns = Readonly<Record<string, Column<unknown>>>;
export type RecordOf<Fields extends Columns> = {
  readonly [Field in keyof Fields]: Fields[Field] extends Column<infer Value> ? Value : never;
};

export function columnName(field: string): string {
  return field.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

interface TableField extends Column<unknown> {
  readonly field: string;
  /** The column's name. */
  readonly name: string;
}

/** A table of records, each with a key: its `id`, unless another field is named. */
export class Table<Fields extends Columns> {
  protected readonly sql: SqlStorage;
  readonly #name: string;
  readonly #fields: readonly TableField[];
  readonly #selectAll: string;
  readonly #key: string;

  constructor(sql: SqlStorage, name: string, columns: Fields, key = 'id') {
    this.sql = sql;
    this.#name = name;
    this.#key = key;
    this.#fields = Object.entries(columns).map(([field, column]) => ({ ...column, field, name: columnName(field) }));
    this.#selectAll = `SELECT ${this.#fields.map((field) => field.name).join(', ')} FROM ${name}`;
  }

  get(id: string): RecordOf<Fields> | null {
    return this.select(`WHERE ${this.#key} = ?`, id)[0] ?? null;
  }

  /** @param clause what follows `FROM`, such as `WHERE id = ?` */
  protected select(clause: string, ...bindings: SqlStorageValue[]): RecordOf<Fields>[] {
    return Array.from(
      this.sql.exec(`${this.#selectAll} ${clause}`, ...bindings).raw(),
      // Each column's value as its definition reads it, which is what RecordOf says.
      (row) =>
        Object.fromEntries(
          this.#fields.map(({ field, read }, index) => [field, read(row[index] ?? null)]),
        ) as RecordOf<Fields>,
    );
  }

  insert(record: RecordOf<Fields>): void {
    const [names, values] = this.#toSql(record);
    const places = names.map(() => '?').join(', ');
    this.sql.exec(`INSERT INTO ${this.#name} (${names.join(', ')}) VALUES (${places})`, ...values);
  }

  /** Writes these fields and no others. */
  patch(id: string, changes: Partial<RecordOf<Fields>>): void {
    const [names, values] = this.#toSql(changes);
    const assignments = names.map((name) => `${name} = ?`).join(', ');
    this.sql.exec(`UPDATE ${this.#name} SET ${assignments} WHERE ${this.#key} = ?`, ...values, id);
  }

  remove(id: string): void {
    this.sql.exec(`DELETE FROM ${this.#name} WHERE ${this.#key} = ?`, id);
  }

  isEmpty(): boolean {
    return this.sql.exec(`SELECT 1 FROM ${this.#name} LIMIT 1`).toArray().length === 0;
  }

  #toSql(record: Partial<RecordOf<Fields>>): [names: string[], values: SqlStorageValue[]] {
    const given = this.#fields.filter(({ field }) => field in record);
    return [given.map(({ name }) => name), given.map(({ field, write }) => write(record[field]))];
  }
}
