using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Mirror.Tests.Access;

/// <summary>Tokens as anybody can write them, right or wrong, by hand: no library that is also under test has a part in it.</summary>
internal static class Jws
{
    public static string Sign(JsonObject header, JsonObject payload, Func<byte[], byte[]> sign) => Sign(header.ToJsonString(), payload.ToJsonString(), sign);

    public static string Sign(string header, string payload, Func<byte[], byte[]> sign)
    {
        var signed = $"{Base64(Encoding.UTF8.GetBytes(header))}.{Base64(Encoding.UTF8.GetBytes(payload))}";
        return $"{signed}.{Base64(sign(Encoding.ASCII.GetBytes(signed)))}";
    }

    public static Func<byte[], byte[]> With(RSA key, string algorithm) => data =>
        key.SignData(data, HashOf(algorithm), algorithm[0] == 'P' ? RSASignaturePadding.Pss : RSASignaturePadding.Pkcs1);

    public static Func<byte[], byte[]> With(ECDsa key, string algorithm) => data => key.SignData(data, HashOf(algorithm));

    /// <summary>Parts of a token: 0 is the header, 1 the payload.</summary>
    public static JsonObject Part(string token, int number) => (JsonObject)JsonNode.Parse(Base64Url.DecodeFromChars(token.Split('.')[number]))!;

    public static string Base64(byte[] bytes) => Base64Url.EncodeToString(bytes);

    private static HashAlgorithmName HashOf(string algorithm) => new($"SHA{algorithm[2..]}");
}
