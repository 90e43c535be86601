/** What has to be ended or removed, in the reverse order of its start. */

type Task = () => void | Promise<void>;

export class Cleanup {
  #tasks: Task[] = [];

  add(task: Task): void {
    this.#tasks.push(task);
  }

  /** Does all of it, whatever fails; what fails is printed. */
  async run(): Promise<void> {
    const tasks = this.#tasks.toReversed();
    this.#tasks = [];
    for (const task of tasks) {
      try {
        await task();
      } catch (error) {
        console.error(error);
      }
    }
  }
}
