using System.Buffers.Text;
using System.Text;

namespace Mirror.Access;

/// <summary>A name and a password as a request brings them (RFC 7617).</summary>
public sealed record BasicLogin(string Name, string Password)
{
    private const string Scheme = "Basic ";

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Whether neither is there.</summary>
    public bool IsEmpty => Name.Length == 0 && Password.Length == 0;

    /// <param name="authorization">The header's value.</param>
    /// <returns>Null where it is of another kind, or can not be read.</returns>
    public static BasicLogin? Find(string authorization)
    {
        if (!authorization.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) || !Base64.IsValid(authorization.AsSpan(Scheme.Length)))
        {
            return null;
        }

        try
        {
            var text = Strict.GetString(Convert.FromBase64String(authorization[Scheme.Length..]));
            return text.IndexOf(':', StringComparison.Ordinal) is >= 0 and var colon ? new BasicLogin(text[..colon], text[(colon + 1)..]) : null;
        }
        catch (DecoderFallbackException)
        {
            return null;
        }
    }

    /// <summary>The password stays unsaid.</summary>
    public override string ToString() => Name;
}
