/** The keys of config.json that say whether a checkpoint can run here and how big its parts are (native/MODEL.md). */
import { AppError } from '../contract/errors.ts';
import { isPlainRecord } from './records.ts';

export type LayerType = 'deltanet' | 'mamba2' | 'attention' | 'ffn';

export interface ModelConfig {
  readonly vocab: number;
  readonly hidden: number;
  readonly layers: readonly LayerType[];
  readonly queryHeads: number;
  readonly keyValueHeads: number;
  readonly qkDim: number;
  readonly vDim: number;
  readonly mambaInner: number;
  readonly mambaState: number;
  readonly mambaHeads: number;
  readonly mambaConv: number;
  readonly ffnDim: number;
  readonly ffnGated: boolean;
  readonly ffnInMixers: boolean;
  readonly memoryTokens: number;
  readonly tiedHead: boolean;
}

const layerNames: Readonly<Record<string, LayerType>> = {
  deltanet: 'deltanet',
  m2: 'mamba2',
  m: 'mamba2',
  a: 'attention',
  f: 'ffn',
};

/** `where` names the file in messages. Throws UNSUPPORTED for another architecture, BAD_MODEL for missing keys. */
export function readModelConfig(raw: unknown, where: string): ModelConfig {
  if (!isPlainRecord(raw)) throw new AppError('BAD_MODEL', `${where} does not hold a JSON object.`);
  const architecture = Array.isArray(raw['architectures']) ? String(raw['architectures'][0]) : '';
  if (raw['model_type'] !== 'nemotron_flash' && architecture !== 'NemotronFlashForCausalLM') {
    const name = architecture || String(raw['model_type'] ?? 'unknown');
    throw new AppError(
      'UNSUPPORTED',
      `${where} describes a model of architecture ${name}. Nemoflash runs Nemotron-Flash.`,
    );
  }
  const number = (key: string, fallback?: number): number => {
    const value = raw[key] ?? fallback;
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    throw new AppError('BAD_MODEL', `${where} has no usable ${key}. Download the model's config.json again.`);
  };
  const hidden = number('hidden_size');
  const queryHeads = number('num_attention_heads');
  const intermediate = number('intermediate_size');
  const ratio = raw['ffn_expand_ratio'];
  const mambaInner = number('mamba_expand', 2) * hidden;
  const headDim = (key: string) => (number(key, -1) > 0 ? number(key) : hidden / queryHeads);
  return {
    vocab: number('vocab_size'),
    hidden,
    layers: readLayers(raw['layer_types'], number('num_hidden_layers'), where),
    queryHeads,
    keyValueHeads: number('num_key_value_heads', queryHeads),
    qkDim: headDim('kq_head_dim'),
    vDim: headDim('v_head_dim'),
    mambaInner,
    mambaState: number('mamba_d_state', 16),
    mambaHeads: mambaInner / number('mamba2_headdim', 64),
    mambaConv: number('mamba_d_conv', 4),
    ffnDim: typeof ratio === 'number' ? Math.floor(Math.floor(ratio * hidden) / 128) * 128 : intermediate,
    ffnGated: (raw['mlp_hidden_act'] ?? 'silu') !== 'relu2',
    ffnInMixers: intermediate > 0,
    memoryTokens: number('num_memory_tokens', 0),
    tiedHead: raw['tie_word_embeddings'] === true,
  };
}

function readLayers(types: unknown, count: number, where: string): readonly LayerType[] {
  if (!Array.isArray(types) || types.length !== count) {
    throw new AppError('BAD_MODEL', `${where} must have layer_types with ${count} entries (num_hidden_layers).`);
  }
  return types.map((type) => {
    const layer = layerNames[String(type)];
    if (layer) return layer;
    throw new AppError(
      'UNSUPPORTED',
      `${where} has a layer of type ${JSON.stringify(type)}, which Nemoflash does not know.`,
    );
  });
}
