/** The settings: where they come from, who can read and change them, and whether they make sense. */
import fs from 'node:fs';
import {
  CONFIG_KEYS,
  DEFAULT_CONFIG_PATH,
  type Environment,
  readConfigFile,
  userConfigPath,
  withConfig,
} from '../../config/config-file.ts';
import { type ControlPlane, configure } from '../../config/control-plane.ts';
import { type Finding, note, ok, problem, warning } from '../finding.ts';

export interface SettingsFacts {
  /** Where a settings file would be looked for. */
  readonly place: string;
  /** The file of settings; null when there is none. */
  readonly file: SettingsFile | null;
  /** Names of settings that come from the environment. */
  readonly fromEnvironment: readonly string[];
  readonly configuration: ReturnType<typeof configure>;
  /** The name that runs get, and where it comes from. */
  readonly machine: string;
}

export interface SettingsFile {
  readonly path: string;
  readonly keys: readonly string[];
  /** For a person, each with its line. */
  readonly problems: readonly string[];
  /** Permission bits; null when the file can't be looked at. */
  readonly mode: number | null;
  readonly holdsToken: boolean;
}

export function judgeSettings({ place, file, fromEnvironment, configuration, machine }: SettingsFacts): Finding[] {
  return [
    ...(file === null
      ? [note('settings.file', `no settings file; cron jobs of this user look for ${place}`)]
      : fileFindings(file)),
    ...environmentFindings(fromEnvironment, file, place),
    ...controlPlaneFindings(configuration, place),
    ok('settings.machine', `this machine is ${machine}`),
  ];
}

function fileFindings({ path, keys, problems, mode, holdsToken }: SettingsFile): Finding[] {
  const findings = problems.map((what) =>
    warning('settings.file', what, `Correct ${path}: each line is KEY=VALUE, or begins with #.`),
  );
  if (holdsToken && mode !== null && (mode & 0o004) !== 0) {
    findings.push(
      problem(
        'settings.mode',
        `${path} holds a token, and every user of this machine can read it (mode ${octal(mode)})`,
        `Run chmod 600 ${path}, and replace the token: others may have it.`,
      ),
    );
  }
  if (keys.length > 0) findings.unshift(ok('settings.file', `${path}: ${keys.join(', ')}`));
  return findings;
}

/** What a shell has set isn't there when cron runs the job. */
function environmentFindings(names: readonly string[], file: SettingsFile | null, place: string): Finding[] {
  if (names.length === 0) return [];
  const what = `from the environment: ${names.join(', ')}`;
  const missing = names.filter((name) => NEEDED[name]?.some((each) => file?.keys.includes(each) === true) === false);
  return [
    missing.length === 0
      ? note('settings.environment', what)
      : warning(
          'settings.environment',
          `${what}. cron doesn’t pass on what your shell has set, so its jobs would run unsupervised`,
          `Put ${missing.join(' and ')} into ${file?.path ?? place}, or at the top of the crontab.`,
        ),
  ];
}

/** What a job can't do without, and what else would do. */
const NEEDED: Readonly<Record<string, readonly string[]>> = {
  LEASH_URL: ['LEASH_URL'],
  LEASH_TOKEN: ['LEASH_TOKEN', 'LEASH_TOKEN_FILE'],
  LEASH_TOKEN_FILE: ['LEASH_TOKEN', 'LEASH_TOKEN_FILE'],
};

function controlPlaneFindings(configuration: SettingsFacts['configuration'], place: string): Finding[] {
  if (configuration.kind === 'unsupervised') {
    return [
      problem(
        'settings.url',
        `commands run unsupervised: ${configuration.why}`,
        `Put LEASH_URL=https://… and LEASH_TOKEN_FILE=… into ${place}.`,
      ),
    ];
  }
  const { controlPlane, warning: unsafe } = configuration;
  const url = controlPlane.baseUrl.replace(/^ws/, 'http');
  return unsafe === null
    ? [ok('settings.url', `the control plane is ${url}`)]
    : [
        warning(
          'settings.url',
          `the control plane is ${url}: token and output are sent unencrypted`,
          'Set LEASH_URL to an address that begins with https://.',
        ),
      ];
}

export function octal(mode: number): string {
  return (mode & 0o777).toString(8).padStart(3, '0');
}

export interface Settings {
  readonly settings: Environment;
  readonly controlPlane: ControlPlane | null;
  readonly facts: SettingsFacts;
}

/** What the flags say takes precedence, as for `leash run`. */
export function readSettings(
  flags: { readonly url: string | null; readonly tokenFile: string | null },
  env: Environment,
  machine: (settings: Environment) => string,
): Settings {
  const read = readConfigFile(env);
  const settings = withConfig(env, read.values);
  const configuration = configure(flags, settings);
  return {
    settings,
    controlPlane: configuration.kind === 'supervised' ? configuration.controlPlane : null,
    facts: {
      place: userConfigPath(env) ?? DEFAULT_CONFIG_PATH,
      file: describeFile(env, read),
      fromEnvironment: SHOWN.filter((name) => (env[name]?.trim() ?? '') !== ''),
      configuration,
      machine: machine(settings),
    },
  };
}

/** Proxies in both spellings: programs differ. */
const SHOWN = ['LEASH_CONFIG', ...CONFIG_KEYS].flatMap((name) =>
  name.endsWith('_PROXY') ? [name, name.toLowerCase()] : [name],
);

function describeFile(env: Environment, { values, problems }: ReturnType<typeof readConfigFile>): SettingsFile | null {
  const path = env.LEASH_CONFIG?.trim() || ([userConfigPath(env)].find(isThere) ?? DEFAULT_CONFIG_PATH);
  const keys = Object.keys(values);
  if (keys.length === 0 && problems.length === 0) return null;
  return { path, keys, problems, mode: modeOf(path), holdsToken: (values.LEASH_TOKEN ?? '') !== '' };
}

function modeOf(path: string): number | null {
  try {
    return fs.statSync(path).mode;
  } catch {
    // What prevents that has been reported by who read the file.
    return null;
  }
}

function isThere(path: string | null): boolean {
  return path !== null && fs.existsSync(path);
}
