/**
 * Closes a run with the line `N passed, N failed`, for programs that read the output, and says how to repeat a run that
 * failed. A run in which a project had no test at all fails: a glob that matches nothing must not look like success.
 */
import type { Reporter, TestModule, Vitest } from 'vitest/node';

export default class SummaryReporter implements Reporter {
  #vitest: Vitest | null = null;

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const passed = tests.filter((test) => test.result().state === 'passed').length;
    const failedTests = tests.filter((test) => test.result().state === 'failed').length;
    // What never became a test fails too: a file that does not load, an error outside of any test, an empty project.
    const brokenModules = modules.filter((module) => module.errors().length > 0).length;
    const empty = this.#emptyProjects(modules);
    for (const name of empty) console.error(`no test ran in the project "${name}"`);
    if (empty.length > 0) process.exitCode = 1;
    const failed = failedTests + brokenModules + errors.length + empty.length;
    // After the other reporters' own summaries.
    process.once('exit', () => {
      if (failed > 0)
        console.log(`\nTo try the same random cases again: LEASH_TEST_SEED=${process.env.LEASH_TEST_SEED}\n`);
      console.log(`${passed} passed, ${failed} failed`);
    });
  }

  #emptyProjects(modules: readonly TestModule[]): string[] {
    const names = (this.#vitest?.projects ?? []).map((project) => project.name);
    // A filter on the command line excludes the others on purpose.
    if (process.argv.slice(2).some((word) => !word.startsWith('-') && word !== 'run')) return [];
    return names.filter((name) => !modules.some((module) => module.project.name === name && hasRun(module)));
  }
}

function hasRun(module: TestModule): boolean {
  return [...module.children.allTests()].some((test) => ['passed', 'failed'].includes(test.result().state));
}
