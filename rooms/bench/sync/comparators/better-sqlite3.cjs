// What Hocuspocus' SQLite extension asks of better-sqlite3, by the SQLite that Node brings: for machines on
// which the real one can be neither fetched nor compiled.
const { DatabaseSync } = require("node:sqlite");

module.exports = class Database {
  constructor(path) {
    this.database = new DatabaseSync(path);
  }
  exec(sql) {
    this.database.exec(sql);
    return this;
  }
  prepare(sql) {
    return this.database.prepare(sql);
  }
};
