using System.CommandLine;
using Mirror.Oci;

namespace Mirror.Commands;

/// <summary>The images that a command is about, by the names that people and clients use.</summary>
internal static class ImageArgument
{
    public const string Names = "An IMAGE is named as for a client: alpine, alpine:3.20, ghcr.io/org/app:1.2, app@sha256:…; "
        + "what names no configured registry is the default registry's.";

    public static Argument<string[]> Create(string description)
    {
        var images = new Argument<string[]>("IMAGE") { Description = description, Arity = ArgumentArity.OneOrMore };
        images.Validators.Add(result =>
        {
            foreach (var token in result.Tokens.Where(token => !ImageName.TryParse(token.Value, out _)))
            {
                result.AddError($"'{token.Value}' is not an image's name.");
            }
        });
        return images;
    }
}
