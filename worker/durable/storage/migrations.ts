/** Brings the tables of an object up to date. @param migrations all that there ever were, oldest first */
export function applyMigrations(storage: DurableObjectStorage, migrations: readonly string[]): void {
  storage.transactionSync(() => {
    storage.sql.exec('CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY) STRICT');
    const { applied } = storage.sql.exec<{ applied: number }>('SELECT count(*) AS applied FROM migrations').one();
    migrations.slice(applied).forEach((migration, index) => {
      storage.sql.exec(migration);
      storage.sql.exec('INSERT INTO migrations (version) VALUES (?)', applied + index + 1);
    });
  });
}
