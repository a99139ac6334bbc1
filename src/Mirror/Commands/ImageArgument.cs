using System.CommandLine;
using Mirror.Configuration.Reading;
using Mirror.Oci;

namespace Mirror.Commands;

/// <summary>The images that a command is about, by the names that people and clients use.</summary>
internal static class ImageArgument
{
    public static Argument<string[]> Create(string description)
    {
        var images = new Argument<string[]>("IMAGE") { Description = description, Arity = ArgumentArity.OneOrMore };
        images.Validators.Add(result =>
        {
            foreach (var token in result.Tokens.Where(token => !ImageName.TryParse(token.Value, out _)))
            {
                result.AddError($"{Printable.Quote(token.Value)} is not an image's name: {WhyNot(token.Value)}.");
            }
        });
        return images;
    }

    private static string WhyNot(string text) => ImageName.TryParse(text.ToLowerInvariant(), out _)
        ? "write it in lower case"
        : "write lower-case letters and digits with . _ - or / between them, and if you like :TAG or @DIGEST behind that";
}
