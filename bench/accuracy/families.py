"""How is each model built, fed and scored? From configurations alone, with random weights.

A model's configuration comes from `configs/NAME.json` (the library's own format) or from nearside's
catalog; torchvision models are named by their torchvision name. Every builder returns
`Program(model, inputs, forward, loss)`: `forward()` is what inference runs, `loss()` what training
runs. `--layers` shortens a model for reading its events.
"""
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils._python_dispatch import _disable_current_modes

from transformers.initialization import no_init_weights

from live_bytes import device

HERE = Path(__file__).resolve().parent
CATALOG = HERE.parent.parent / "crates/nearside-catalog/data/models.json"
LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
ATTENTION = {"eager": "eager", "masked": "sdpa", "fused": "nearside"}
TRAINED = ("full", "lora", "qlora")
ENCODERS = ("bert", "roberta", "distilbert", "xlm-roberta", "camembert", "electra", "albert", "mpnet", "modernbert",
            "deberta-v2")
TEXT_TO_TEXT = ("t5", "mt5", "umt5", "bart", "mbart", "pegasus", "marian")
VISION_TOWERS = {"clip_vision_model": "CLIPVisionModel", "dinov2": "Dinov2Model"}
LAYER_KEYS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "num_decoder_layers", "encoder_layers",
              "decoder_layers", "num_single_layers")


@dataclass
class Program:
    model: nn.Module
    inputs: list
    forward: Callable
    loss: Callable


def configuration(name):
    """The configuration file of a model, or None for a torchvision name."""
    own = HERE / "configs" / f"{name}.json"
    if own.exists():
        return json.loads(own.read_text())
    if name in torchvision_names():
        return None
    for entry in json.loads(CATALOG.read_text()) if CATALOG.exists() else []:
        if entry["name"] == name:
            return dict(entry["config"])
    return None


def torchvision_names():
    import torchvision.models as zoo
    return zoo.list_models(module=zoo)


def build(settings):
    """The program of one configuration; call it inside the trace, on the fake device."""
    config = configuration(settings.model)
    if config is None:
        return torchvision_model(settings)
    if settings.layers:
        shorten(config, settings.layers)
    if "_class_name" in config:
        return diffusers_model(settings, config)
    kind = config.get("model_type")
    if kind in ENCODERS:
        return encoder(settings, config)
    if kind in (*TEXT_TO_TEXT, "whisper"):
        return encoder_decoder(settings, config)
    if kind == "clip_text_model":
        return clip_text(settings, config)
    if kind in VISION_TOWERS:
        return vision_tower(settings, config)
    if kind in ("vit", "deit", "swin", "convnextv2", "beit"):
        return vision_transformer(settings, config)
    return decoder(settings, config)


def shorten(config, layers):
    for key in LAYER_KEYS:
        if key in config:
            config[key] = layers
    for key in ("layer_types", "mlp_layer_types"):
        if config.get(key):
            config[key] = config[key][:layers]


def transformers_config(config, settings):
    from transformers import AutoConfig
    config = {k: v for k, v in config.items() if k not in ("torch_dtype", "dtype", "transformers_version")}
    made = AutoConfig.for_model(config.pop("model_type"), **config)
    name = ATTENTION[settings.attention]
    if name == "nearside" and settings.device == "t4":
        name = "nearside_repeated"
    made._attn_implementation = name
    return made


def transformers_model(auto, config, settings):
    dtype = getattr(torch, settings.dtype)
    torch.set_default_dtype(dtype)
    with torch.device(device()), no_init_weights():
        model = auto.from_config(config, dtype=dtype) if hasattr(auto, "_model_mapping") else auto(config)
    model.tie_weights()  # no_init_weights skips it
    torch.set_default_dtype(torch.float32)
    return model


def checkpoint(model, settings):
    if settings.checkpointing == "full":
        model.gradient_checkpointing_enable({"use_reentrant": False})
    if settings.checkpointing == "attention":
        recompute_attention(model)
    return model


def recompute_attention(model):
    """Attention between its projections under a checkpoint of its own, not reentrant: what Megatron-LM
    calls selective (arXiv 2205.05198, section 5), around the attention functions of transformers."""
    from torch.utils.checkpoint import checkpoint as under_checkpoint
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    def recomputed(function):
        def forward(module, query, key, value, mask, **rest):
            if not getattr(module.config, "recomputes_attention", False):
                return function(module, query, key, value, mask, **rest)
            return under_checkpoint(function, module, query, key, value, mask, use_reentrant=False, **rest)
        forward.recomputes = True
        return forward

    modules = [m for m in model.modules() if hasattr(m, "config") and type(m).__name__.endswith("Attention")]
    if not modules:
        raise SystemExit("no attention function to recompute")
    name = model.config._attn_implementation
    if name == "eager":
        home = sys.modules[type(modules[0]).__module__]
        if not hasattr(home.eager_attention_forward, "recomputes"):
            home.eager_attention_forward = recomputed(home.eager_attention_forward)
    elif not hasattr(ALL_ATTENTION_FUNCTIONS[name], "recomputes"):
        ALL_ATTENTION_FUNCTIONS[name] = recomputed(ALL_ATTENTION_FUNCTIONS[name])
    for module in modules:
        module.config.recomputes_attention = True


def ids(batch, length):
    return torch.zeros(batch, length, dtype=torch.long, device=device())


def padding(settings, batch, length):
    """A padded batch has a mask; what it holds does not matter."""
    masked = settings.attention == "masked"
    return dict(attention_mask=torch.ones(batch, length, dtype=torch.long, device=device())) if masked else {}


def decoder(settings, config):
    from transformers import AutoModelForCausalLM
    config = transformers_config(config, settings)
    if settings.task in TRAINED:
        config.use_cache = False
    model = transformers_model(AutoModelForCausalLM, config, settings)
    if settings.quant == "nf4":
        import nf4
        nf4.quantise(model)
    if settings.task in ("lora", "qlora"):
        model = adapters(model, settings)
    else:
        checkpoint(model, settings)
    tokens = ids(settings.batch, settings.sequence)
    mask = padding(settings, settings.batch, settings.sequence) if settings.task == "prefill" else {}
    return Program(model, [tokens, *mask.values()],
                   lambda: model(input_ids=tokens, use_cache=True, logits_to_keep=1, **mask),
                   lambda: model(input_ids=tokens, labels=tokens))


def adapters(model, settings):
    from peft import LoraConfig, get_peft_model
    targets = {"all-linear": LINEAR if hasattr(model, "model") else "all-linear"}.get(
        settings.lora_targets, settings.lora_targets.split("+"))
    kind = model.config.model_type
    if settings.lora_targets == "all-linear" and kind not in ("llama", "mistral", "qwen2", "gemma2"):
        targets = "all-linear"
    model = get_peft_model(model, LoraConfig(r=settings.lora_rank, lora_alpha=2 * settings.lora_rank,
                                             lora_dropout=0.0, target_modules=targets))
    if settings.checkpointing == "full":
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        model.enable_input_require_grads()
    if settings.checkpointing == "attention":
        recompute_attention(model)
    for parameter in model.parameters():
        if parameter.requires_grad and parameter.dtype != torch.float32:
            parameter.data = parameter.data.float()
    return model


def encoder(settings, config):
    """A classifier of two labels; dropout is on while training."""
    from transformers import AutoModelForSequenceClassification
    model = checkpoint(transformers_model(
        AutoModelForSequenceClassification, transformers_config(config, settings), settings), settings)
    tokens = ids(settings.batch, settings.sequence)
    labels = torch.zeros(settings.batch, dtype=torch.long, device=device())
    mask = padding(settings, settings.batch, settings.sequence)
    return Program(model, [tokens, labels, *mask.values()],
                   lambda: model(input_ids=tokens, **mask),
                   lambda: model(input_ids=tokens, labels=labels, **mask))


def encoder_decoder(settings, config):
    """Text: `sequence` tokens are read, `context` written. Whisper: 30 s of sound, `sequence` tokens written."""
    from transformers import AutoModelForSeq2SeqLM, WhisperForConditionalGeneration
    speech = config["model_type"] == "whisper"
    config = transformers_config(config, settings)
    config.use_cache = False
    model = checkpoint(transformers_model(
        WhisperForConditionalGeneration if speech else AutoModelForSeq2SeqLM, config, settings), settings)
    batch = settings.batch
    if speech:
        features = torch.empty(batch, config.num_mel_bins, 2 * config.max_source_positions,
                               dtype=getattr(torch, settings.dtype), device=device())
        read, labels = dict(input_features=features), ids(batch, settings.sequence)
    else:
        read = dict(input_ids=ids(batch, settings.sequence), **padding(settings, batch, settings.sequence))
        labels = ids(batch, settings.context or settings.sequence)
    return Program(model, [*read.values(), labels],
                   lambda: model(**read, decoder_input_ids=labels),
                   lambda: model(**read, labels=labels))


def clip_text(settings, config):
    from transformers import CLIPTextModel
    config = transformers_config(config, settings)
    model = transformers_model(CLIPTextModel, config, settings)
    tokens = ids(settings.batch, settings.sequence)
    run = lambda: model(input_ids=tokens).last_hidden_state
    return Program(model, [tokens], run, lambda: run().float().square().mean())


def vision_tower(settings, config):
    """An encoder of images without classes; its pooled output is scored."""
    import transformers
    made = transformers_config(config, settings)
    model = checkpoint(transformers_model(
        getattr(transformers, VISION_TOWERS[config["model_type"]]), made, settings), settings)
    pixels = images(settings)
    run = lambda: model(pixel_values=pixels).pooler_output
    return Program(model, [pixels], run, lambda: run().float().square().mean())


def vision_transformer(settings, config):
    from transformers import AutoModelForImageClassification
    made = transformers_config({"num_labels": 1000, **config}, settings)
    model = checkpoint(transformers_model(AutoModelForImageClassification, made, settings), settings)
    pixels = images(settings)
    labels = torch.zeros(settings.batch, dtype=torch.long, device=device())
    return Program(model, [pixels, labels], lambda: model(pixel_values=pixels),
                   lambda: model(pixel_values=pixels, labels=labels))


def images(settings, channels=3):
    return torch.empty(settings.batch, channels, settings.image, settings.image,
                       dtype=getattr(torch, settings.dtype), device=device())


def with_numbers(function):
    """The same function on tensors that have bytes: RegNet works out its widths on tensors."""
    def computed(*args, **kwargs):
        with _disable_current_modes(), torch.device("cpu"):
            return function(*args, **kwargs)
    return computed


def torchvision_model(settings):
    import torchvision.models as zoo
    from torchvision.models.regnet import BlockParams
    if settings.model.startswith("regnet"):
        BlockParams.from_init_params = with_numbers(BlockParams.from_init_params)
    torch.set_default_dtype(getattr(torch, settings.dtype))
    with torch.device(device()), no_init_weights():
        model = zoo.get_model(settings.model, weights=None)
        pixels = images(settings)
    torch.set_default_dtype(torch.float32)

    def loss():
        return F.cross_entropy(model(pixels).float(), torch.zeros(settings.batch, dtype=torch.long, device=device()))
    return Program(model, [pixels], loss if settings.reference else lambda: model(pixels), loss)


def diffusers_model(settings, config):
    import diffusers
    kind = config["_class_name"]
    torch.set_default_dtype(getattr(torch, settings.dtype))
    with torch.device(device()), no_init_weights():
        model = getattr(diffusers, kind).from_config({k: v for k, v in config.items() if not k.startswith("_")})
        arguments = DIFFUSION_INPUTS[kind](settings, model.config)
    torch.set_default_dtype(torch.float32)
    if settings.checkpointing == "full":
        model.enable_gradient_checkpointing()
    tensors = [t for v in arguments.values() for t in (v.values() if isinstance(v, dict) else [v])]
    if kind == "AutoencoderKL":
        latent = next(iter(arguments.values()))
        step = model.decode if settings.task == "decode" else model.encode
        kept = (lambda out: out.sample) if settings.task == "decode" else (lambda out: out.latent_dist.mean)
        return Program(model, tensors, lambda: step(latent),
                       lambda: kept(step(latent)).float().square().mean())
    run = lambda: model(**arguments).sample
    return Program(model, tensors, run, lambda: run().float().square().mean())


def unet_inputs(settings, config):
    side, batch = settings.image // 8, settings.batch
    arguments = dict(sample=torch.empty(batch, config.in_channels, side, side),
                     timestep=torch.empty(batch, dtype=torch.long),
                     encoder_hidden_states=torch.empty(batch, settings.sequence or 77, config.cross_attention_dim))
    if config.addition_embed_type == "text_time":
        # Six numbers of sizes and crops; the refiner has five.
        sizes = (config.projection_class_embeddings_input_dim - 1280) // config.addition_time_embed_dim
        arguments["added_cond_kwargs"] = dict(text_embeds=torch.empty(batch, 1280), time_ids=torch.empty(batch, sizes))
    return arguments


def dit_inputs(settings, config):
    side, batch = settings.image // 8, settings.batch
    return dict(hidden_states=torch.empty(batch, config.in_channels, side, side),
                timestep=torch.empty(batch, dtype=torch.long), class_labels=torch.empty(batch, dtype=torch.long))


def sd3_inputs(settings, config):
    side, batch = settings.image // 8, settings.batch
    return dict(hidden_states=torch.empty(batch, config.in_channels, side, side),
                encoder_hidden_states=torch.empty(batch, settings.sequence or 333, config.joint_attention_dim),
                pooled_projections=torch.empty(batch, config.pooled_projection_dim),
                timestep=torch.empty(batch, dtype=torch.long))


def flux_inputs(settings, config):
    tokens, batch, text = (settings.image // 16) ** 2, settings.batch, settings.sequence or 512
    return dict(hidden_states=torch.empty(batch, tokens, config.in_channels),
                encoder_hidden_states=torch.empty(batch, text, config.joint_attention_dim),
                pooled_projections=torch.empty(batch, config.pooled_projection_dim),
                timestep=torch.empty(batch), guidance=torch.empty(batch),
                img_ids=torch.empty(tokens, 3), txt_ids=torch.empty(text, 3))


def vae_inputs(settings, config):
    if settings.task == "decode":
        side = settings.image // 8
        return dict(latent=torch.empty(settings.batch, config.latent_channels, side, side))
    return dict(pixels=torch.empty(settings.batch, config.in_channels, settings.image, settings.image))


DIFFUSION_INPUTS = {"UNet2DConditionModel": unet_inputs, "DiTTransformer2DModel": dit_inputs,
                    "SD3Transformer2DModel": sd3_inputs, "FluxTransformer2DModel": flux_inputs,
                    "AutoencoderKL": vae_inputs}
