// Command lines of the form --name value, all of them known.

/** Reads the options named; exits with what is missing or unknown. */
export function options(usage, required, optional = []) {
  const given = {};
  const fail = (what) => {
    console.error(`${what}\nusage: ${usage}`);
    process.exit(2);
  };
  const args = process.argv.slice(2);
  while (args.length) {
    const name = args.shift().replace(/^--/, '');
    if (![...required, ...optional].includes(name)) fail(`there is no option --${name}`);
    if (!args.length) fail(`--${name} wants a value`);
    given[name] = args.shift();
  }
  for (const name of required) if (!(name in given)) fail(`--${name} is missing`);
  return given;
}
