/** What this machine's user has set for the hub, the network and the app is not what the tests are about. */
import process from 'node:process';

const foreign =
  /^(https?_proxy|all_proxy|no_proxy|hf_.*|huggingface_.*|nemoflash_(?!seed$|model_dir$).*|force_color)$/i;
for (const name of Object.keys(process.env)) if (foreign.test(name)) delete process.env[name];
